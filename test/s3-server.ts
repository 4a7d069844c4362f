import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** The one key s3rver knows. */
export const S3_KEY = { id: 'S3RVER', secret: 'S3RVER' };

export interface S3Server {
  port: number;
  /** Puts an object into a bucket. */
  put(bucket: string, name: string, bytes: string | Uint8Array<ArrayBuffer>): Promise<void>;
  stop(): void;
}

/**
 * An S3 server (s3rver) on 127.0.0.1, for anybody and for S3_KEY, that keeps its objects in `folder`.
 * @param tls with this key and certificate; clients of Minio's library (restic) send what s3rver understands only so
 */
export async function serveS3(
  folder: string,
  buckets: readonly string[],
  port = 0,
  tls: { key: string; certificate: string } | null = null,
): Promise<S3Server> {
  const program = resolve(import.meta.dirname, '../node_modules/s3rver/bin/s3rver.js');
  const place = ['-d', folder, '-a', '127.0.0.1', '-p', `${port}`, '--no-vhost-buckets'];
  const words = [...place, ...(tls ? ['--key', tls.key, '--cert', tls.certificate] : [])];
  const server = spawn(process.execPath, [
    program,
    ...words,
    ...buckets.flatMap((bucket) => ['--configure-bucket', bucket]),
  ]);
  const bound = await new Promise<number>((done, fail) => {
    let said = '';
    const hear = (text: Buffer) => {
      said += text;
      const [, found] = /listening on .*:(\d+)/.exec(said) ?? [];
      if (found) done(Number(found));
    };
    server.stdout.on('data', hear);
    server.stderr.on('data', hear);
    server.once('close', () => fail(new Error(`s3rver did not start: ${said}`)));
  });
  return {
    port: bound,
    put: async (bucket, name, bytes) => {
      const { ok, status } = await fetch(`http://127.0.0.1:${bound}/${bucket}/${name}`, { method: 'PUT', body: bytes });
      if (!ok) throw new Error(`s3rver says ${status}`);
    },
    stop: () => void server.kill('SIGKILL'),
  };
}
