import type { S3Place } from '../../contract/s3-address.ts';
import type { Volume } from '../../contract/volume.ts';
import { type Context, tell } from '../boot.ts';
import { log } from '../log.ts';
import { clockFrom } from '../network/clock.ts';
import { decoded, userOf } from './address.ts';
import { newestSet } from './folder.ts';
import { passwordOf } from './password.ts';
import { parseS3 } from './s3-address.ts';
import { hostOf, reachServer } from './server.ts';
import { SourceError, type SourceKind } from './source.ts';
import {
  ADVICE,
  type Answer,
  encodePath,
  openSite,
  readWeb,
  type Site,
  textOf,
  volumesOfSet,
  type WebVolume,
  webVolume,
} from './web.ts';

/** Folders that are looked into for volumes. */
const FOLDERS = 200;
/** Of a list, a thousand names each, and the characters of one. */
const PAGES = 20;
const LIST_LIMIT = 1 << 22;
const VOLUME_FOLDER = 'mindi/';

/**
 * Storage with Amazon's S3 interface. Address: `s3://[KEY[:SECRET]@]BUCKET/PREFIX` and `s3+https://[KEY[:SECRET]@]SERVER/BUCKET/PREFIX`,
 * see parseS3. Without a key it is asked as anybody.
 */
export const s3: SourceKind = {
  schemes: ['s3', 's3+https', 's3+http'],
  name: 'S3 storage',
  about: 'a bucket, or a prefix in it: s3://key@bucket/web01, s3+https://key@server/bucket/web01',
  async open(address, context) {
    const place = parseS3(address);
    const { endpoint } = place;
    await reachServer(context, endpoint, Number(endpoint.port) || (endpoint.protocol === 'https:' ? 443 : 80));
    const site = await siteOf(address, place, context);
    tell(context, `opening ${site.name}`);
    return openSite(site, await volumesOf(context, site, place));
  },
};

/** The site itself where it is a volume, else those of its folders that are one, of the newest set. */
async function volumesOf(context: Context, site: Site, place: S3Place): Promise<WebVolume[]> {
  const folders = await foldersOf(site, place).catch(async (error) => {
    // A key may read objects and not be allowed to list them.
    log(`${site.name}: ${(error as Error).message}`);
    return (await volumeOf(site, '')) ? [VOLUME_FOLDER] : Promise.reject(error);
  });
  const wanted = folders.includes(VOLUME_FOLDER) ? [''] : folders.slice(0, FOLDERS);
  const found: WebVolume[] = [];
  for (const folder of wanted) {
    const volume = await volumeOf(site, folder);
    if (volume) found.push({ folder, volume });
  }
  if (found.length === 0) return volumesOfSet(site);
  return newestSet(context, found).sort((a, b) => a.volume.number - b.volume.number);
}

async function volumeOf(site: Site, folder: string): Promise<Volume | null> {
  return webVolume(site, folder).catch((error) => {
    log((error as Error).message);
    return null;
  });
}

/** Names of the folders right below the prefix. */
async function foldersOf(site: Site, { endpoint, bucket, prefix }: S3Place): Promise<string[]> {
  const folders: string[] = [];
  let objects = 0;
  for (let next: string | undefined = '', page = 0; next !== undefined && page < PAGES; page += 1) {
    const url: URL = new URL(`/${encodeURIComponent(bucket)}`, endpoint);
    const query = { 'list-type': '2', 'encoding-type': 'url', delimiter: '/', prefix };
    url.search = String(new URLSearchParams({ ...query, ...(next && { 'continuation-token': next }) }));
    const text: string = await textOf(await readWeb(site, '', 0, url), LIST_LIMIT);
    const common = text.match(/<CommonPrefixes>.*?<\/CommonPrefixes>/gs) ?? [];
    folders.push(...values(common.join(''), 'Prefix').map((name) => decode(name).slice(prefix.length)));
    objects += values(text, 'Key').filter((name) => decode(name) !== prefix).length;
    next = values(text, 'NextContinuationToken')[0];
  }
  if (folders.length + objects === 0)
    throw new SourceError(`${site.name} is empty.`, 'Check the path of the address, or choose another source.');
  return folders;
}

/** What stands between the tags of that name. With encoding-type=url there is nothing of XML in names. */
const values = (xml: string, tag: string) =>
  [...xml.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, 'g'))].map(([, value = '']) => value);
const decode = (name: string) => decoded(name.replaceAll('+', ' '));

async function siteOf(address: URL, place: S3Place, context: Context): Promise<Site> {
  const { endpoint, bucket, prefix, region } = place;
  const user = userOf(address);
  const secret = user && (await passwordOf(address, context, 'Secret key'));
  const { default: aws4 } = await import('aws4');
  const name = `s3://${bucket}/${prefix}${address.protocol === 's3:' ? '' : ` on ${endpoint.host}`}`;
  return {
    name,
    address: (file) => new URL(`/${encodePath(`${bucket}/${prefix}${file}`)}`, endpoint),
    headers(url) {
      // A signature is for the server the key is for; S3 leads to other servers of its own.
      const own = `.${url.hostname}`.endsWith(`.${endpoint.hostname}`);
      if (!user || !own) return {};
      const request = { host: url.host, path: `${url.pathname}${url.search}`, headers: { Host: url.host }, region };
      const signed = aws4.sign({ ...request, service: 's3' }, { accessKeyId: user, secretAccessKey: secret });
      return signed.headers as Record<string, string>;
    },
    setClock: ({ origin }) => clockFrom(context, origin),
    refusal: (file, answer) => refusal(name, place, user !== '', file, answer),
  };
}

/** S3 says what is wrong by a code; docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html has them. */
function refusal(name: string, place: S3Place, known: boolean, file: string, answer: Answer): SourceError {
  const { status, statusMessage, text, headers } = answer;
  const [code = ''] = values(text, 'Code');
  const region = headers['x-amz-bucket-region'] ?? values(text, 'Region')[0];
  if (region && region !== place.region)
    return new SourceError(
      `The bucket ${place.bucket} is in the region ${region}.`,
      `Add ?region=${region} to the address.`,
    );
  if (code === 'NoSuchBucket')
    return new SourceError(
      `There is no bucket ${place.bucket} on ${hostOf(place.endpoint)}.`,
      'Check its name, and endpoint= and region= of the address.',
    );
  if (code === 'RequestTimeTooSkewed')
    return new SourceError(
      `${name} refuses requests from a clock that is wrong: this machine's says ${new Date().toISOString()}.`,
      "Set it with 'date -u -s', or mindi.ntp=SERVER at boot.",
    );
  if (status === 401 || status === 403) {
    const hint = known
      ? 'Check access key and secret key, and what the key may read.'
      : 'Write the address with its key: s3://KEY@bucket.';
    return new SourceError(`${name} refuses the login (${code || status}).`, hint);
  }
  if (status === 404) return new SourceError(`${file} is not on ${name}.`, 'Check the path of the address.');
  return new SourceError(`${name} answers ${file} with ${status} ${code || statusMessage}.`, ADVICE);
}
