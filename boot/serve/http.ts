import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize, sep } from 'node:path';
import send from 'send';
import { MindiError } from '../../contract/error.ts';

export interface HttpOptions {
  /** An absolute path without links in it. */
  folder: string;
  address: string;
  /** 0: any that is free. */
  port: number;
  /** Hears of each request when it is over. */
  log: (line: string) => void;
}

/**
 * Serves the files of a folder, ranges of them too, and nothing outside it.
 * @throws MindiError `serve.port` when the address and port are not to be had
 */
export async function startHttp(options: HttpOptions): Promise<Server & { url: string }> {
  const server = createServer((request, response) => void answer(request, response, options));
  try {
    server.listen(options.port, options.address);
    await once(server, 'listening');
  } catch (error) {
    throw portProblem(error as NodeJS.ErrnoException, options);
  }
  const { port } = server.address() as AddressInfo;
  return Object.assign(server, { url: `http://${options.address}${port === 80 ? '' : `:${port}`}/` });
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  const started = performance.now();
  response.on('close', () => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const size = Number(response.getHeader('content-length') ?? 0);
    const end = response.writableFinished ? '' : ', broken off';
    const what = JSON.stringify(`${request.method} ${request.url}`).slice(1, -1);
    options.log(`${request.socket.remoteAddress} ${what} ${response.statusCode} ${size} bytes in ${seconds} s${end}`);
  });
  if (request.method !== 'GET' && request.method !== 'HEAD') return fail(response, 405);
  const path = await inside(options.folder, request.url ?? '/');
  if (path === null) return fail(response, 404);
  send(request, path, { root: options.folder, index: false, dotfiles: 'ignore' })
    .on('error', ({ status }: { status: number }) => fail(response, status))
    .on('directory', () => fail(response, 404))
    .pipe(response);
}

function fail(response: ServerResponse, status: number): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status).end();
}

/** The path a URL asks for, when that is a thing in the folder and no link leads out of it. */
async function inside(folder: string, url: string): Promise<string | null> {
  try {
    const path = normalize(decodeURIComponent(url.replace(/[?#].*$/, '')));
    const real = await realpath(join(folder, path));
    return real.startsWith(folder + sep) ? path : null;
  } catch {
    return null;
  }
}

function portProblem(error: NodeJS.ErrnoException, { address, port }: HttpOptions): MindiError {
  const known: Record<string, [message: string, hint: string]> = {
    EADDRINUSE: ['another program has this port', 'Stop it, or name another port: --http-port 8080.'],
    EACCES: ['ports below 1024 are for root', 'Run it as root, or name another port: --http-port 8080.'],
    EADDRNOTAVAIL: ['this machine does not have this address', '`ip address` shows those it has.'],
  };
  const [message, hint] = known[error.code ?? ''] ?? [error.message, '`ip address` shows what addresses there are.'];
  return new MindiError(message, { code: 'serve.port', where: `${address}:${port}`, hint, cause: error });
}
