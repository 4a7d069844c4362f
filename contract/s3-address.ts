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
 * and `s3+http:` of any other server. Null when it is none of these.
 */
export function readS3Address(address: URL): S3Place | null {
  const { protocol, host, searchParams } = address;
  const region = searchParams.get('region') ?? 'us-east-1';
  const [, first = '', ...rest] = decoded(address.pathname).split('/');
  const own = protocol === 's3:';
  const endpoint = own
    ? (searchParams.get('endpoint') ?? `https://s3.${region}.amazonaws.com`)
    : `${protocol.slice('s3+'.length)}//${host}`;
  const bucket = own ? host : first;
  const prefix = (own ? [first, ...rest] : rest).filter(Boolean).map((folder) => `${folder}/`);
  const wrong = !host || !bucket || !/^[\w-]+$/.test(region) || !/^https?:\/\/[^/]+\/?$/.test(endpoint);
  if (wrong || !URL.canParse(endpoint)) return null;
  return { endpoint: new URL(endpoint), bucket, prefix: prefix.join(''), region };
}

/** Without the codes of URLs; what has wrong ones was not meant so. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
