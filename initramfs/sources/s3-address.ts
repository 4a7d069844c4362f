import { readS3Address, type S3Place } from '../../contract/s3-address.ts';
import { SourceError } from './source.ts';

/**
 * Where an address's objects are.
 * @throws SourceError when it is no address of S3
 */
export function parseS3(address: URL): S3Place {
  const place = readS3Address(address);
  if (place) return place;
  throw new SourceError(
    'The address names no bucket of a server.',
    'Write it as s3://KEY@bucket/web01?region=eu-central-1 or s3+https://KEY@server/bucket/web01.',
  );
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
