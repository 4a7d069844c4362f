import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import aws4 from 'aws4';
import { MindiError } from '../../contract/error.ts';
import { readS3Address, type S3Place } from '../../contract/s3-address.ts';
import { type Credentials, readCredentials } from '../places/credentials.ts';
import { encodePath, type Store } from './store.ts';

/**
 * S3's interface, bucket in the path, signed by version 4. The key is in the file of credentials, else in the
 * environment or the file of the AWS tools; without one it is asked as anybody.
 */
export async function s3Store(address: URL, credentials: string | undefined): Promise<Store> {
  const place = readS3Address(address);
  if (!place)
    throw new MindiError('the address names no bucket of a server', {
      code: 'store.address',
      where: address.host,
      hint: 'Write it as s3://bucket/web01?region=eu-central-1 or s3+https://server/bucket/web01.',
    });
  const key = await keyFor(address, credentials);
  const { endpoint, bucket, prefix, region } = place;
  return {
    name: nameOf(address),
    url: (path) => new URL(`/${encodePath(`${bucket}/${prefix}${path}`)}`, endpoint),
    headers(method, url, sha256) {
      if (!key) return {};
      const headers = { Host: url.host, 'X-Amz-Content-Sha256': sha256 };
      const request = { method, host: url.host, path: url.pathname, headers, region, service: 's3' };
      const sessionToken = process.env.AWS_SESSION_TOKEN;
      const secret = { accessKeyId: key.username, secretAccessKey: key.password };
      const signed = aws4.sign(request, { ...secret, ...(key.session && sessionToken ? { sessionToken } : {}) });
      return signed.headers as Record<string, string>;
    },
    refusal: (status, body) => refusal(place, status, body),
  };
}

function nameOf(address: URL): string {
  const plain = new URL(address);
  plain.username = '';
  plain.password = '';
  return plain.href.replace(/\/$/, '');
}

type Key = Credentials & { session: boolean };

async function keyFor({ username }: URL, credentials: string | undefined): Promise<Key | undefined> {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SHARED_CREDENTIALS_FILE: shared } = process.env;
  if (!credentials && id && secret) return { username: id, password: secret, session: true };
  const usual = shared ?? join(homedir(), '.aws/credentials');
  const file = credentials ?? (existsSync(usual) ? usual : undefined);
  if (!file) return undefined;
  const known = await readCredentials(file);
  return { ...known, username: username ? decodeURIComponent(username) : known.username, session: false };
}

/** S3 says what is wrong by a code; docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html has them. */
function refusal({ bucket, endpoint, region }: S3Place, status: number, body: string): [string, string] | undefined {
  const [, code = ''] = /<Code>([^<]*)</.exec(body) ?? [];
  const [, there] = /<Region>([\w-]*)</.exec(body) ?? [];
  if (there && there !== region) return [`the bucket ${bucket} is in the region ${there}`, `Add ?region=${there}.`];
  if (code === 'NoSuchBucket')
    return [`there is no bucket ${bucket} on ${endpoint.host}`, 'Check its name, and endpoint= and region=.'];
  if (code === 'RequestTimeTooSkewed') return ["this machine's clock is wrong", 'Set it, then run it again.'];
  if (status === 401 || status === 403)
    return [
      `the key is refused (${code || status})`,
      'Check the credentials: AWS_ACCESS_KEY_ID, ~/.aws/credentials or archive.to.credentials, and what the key may do.',
    ];
  return undefined;
}
