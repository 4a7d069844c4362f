import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/**
 * Whether a request bears the signature (version 4) of whoever has that secret key, worked out by the published rules:
 * docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. s3rver looks at none.
 */
export function isSigned({ method = '', url = '', headers }: IncomingMessage, secret: string): boolean {
  const found =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/((\d{8})\/([^/]+)\/s3\/aws4_request), *SignedHeaders=([\w;-]+), *Signature=([0-9a-f]{64})$/;
  const [, scope = '', day = '', region = '', names = '', signature] = found.exec(headers.authorization ?? '') ?? [];
  const [path = '', query = ''] = url.split('?');
  const lines = names.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const parts = [method, path, sorted(query), lines.join(''), names, headers['x-amz-content-sha256']];
  const time = String(headers['x-amz-date']);
  const request = createHash('sha256').update(parts.join('\n')).digest('hex');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, ['AWS4-HMAC-SHA256', time, scope, request].join('\n')).toString('hex') === signature;
}

const sorted = (query: string) =>
  [...new URLSearchParams(query)]
    .map((pair) => pair.map((text) => encodeURIComponent(text).replace(/[!'()*]/g, percent)).join('='))
    .sort()
    .join('&');
const percent = (one: string) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`;
