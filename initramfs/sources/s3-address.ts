import { placeOf } from './address.ts';
import { SourceError } from './source.ts';

/** Where S3's objects are. */
export interface S3Place {
  /** Without a path: `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: URL;
  bucket: string;
  /** Empty, or ends with a slash. */
  prefix: string;
  region: string;
}

/**
 * `s3://BUCKET[/PREFIX][?endpoint=URL&region=REGION]`, by default Amazon's; `s3+https://SERVER[:PORT]/BUCKET[/PREFIX]`
 * and `s3+http:` of any other server.
 * @throws SourceError when it is none of these
 */
export function parseS3(address: URL): S3Place {
  const { protocol, host, searchParams } = address;
  const region = searchParams.get('region') ?? 'us-east-1';
  const [, first = '', ...rest] = placeOf(address).split('/');
  const own = protocol === 's3:';
  const endpoint = own
    ? (searchParams.get('endpoint') ?? `https://s3.${region}.amazonaws.com`)
    : `${protocol.slice('s3+'.length)}//${host}`;
  const bucket = own ? host : first;
  const prefix = (own ? [first, ...rest] : rest).filter(Boolean).map((folder) => `${folder}/`);
  const wrong = !host || !bucket || !/^[\w-]+$/.test(region) || !/^https?:\/\/[^/]+\/?$/.test(endpoint);
  if (wrong || !URL.canParse(endpoint))
    throw new SourceError(
      'The address names no bucket of a server.',
      'Write it as s3://KEY@bucket/web01?region=eu-central-1 or s3+https://KEY@server/bucket/web01.',
    );
  return { endpoint: new URL(endpoint), bucket, prefix: prefix.join(''), region };
}

/** The address of the server that is asked, for what wants to reach it before; the address itself where it is another kind. */
export function serverAddress(source: string): string {
  if (!/^s3(\+https?)?:/.test(source) || !URL.canParse(source)) return source;
  try {
    return parseS3(new URL(source)).endpoint.href;
  } catch {
    return source;
  }
}
