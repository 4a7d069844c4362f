import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { READY_PREFIX, type ReadyReport } from '../../contract/report.ts';
import type { Boot } from '../boot.ts';
import { knownSecrets } from '../bug-me/parts.ts';
import { scrub, scrubValue } from '../bug-me/scrub.ts';
import { readyReport } from '../report.ts';
import { facts } from '../screen/facts.ts';
import { sourceText } from '../screen/source-entry.ts';
import { type Status, statusPage } from './status-page.ts';

const PORT = 80;
/** Whoever is on the network must not keep the machine busy: connections at once, milliseconds for a request. */
const MOST = 16;
const PATIENCE = 10_000;
/** Milliseconds for which what was found is not looked up again. */
const FRESH = 1000;

/** No script, nothing from elsewhere, in no other page's frame. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Serves the status page from now on, on all addresses. Returns why it cannot. */
export async function serveStatus(boot: Boot): Promise<string | null> {
  const { createServer } = await import('node:http');
  const limits = { requestTimeout: PATIENCE, headersTimeout: PATIENCE, keepAliveTimeout: PATIENCE };
  const server = createServer(limits, statusListener(lookNowAndThen(boot)));
  server.maxConnections = MOST;
  try {
    server.listen(PORT);
    await once(server, 'listening');
  } catch (error) {
    return (error as Error).message;
  }
  boot.statusPage = true;
  return null;
}

/** Answers `/` and `/ready.json`, and only to who wants to read. */
export function statusListener(look: () => Status): RequestListener {
  return ({ method = '', url = '' }, response) => {
    const answer = (status: number, type: string, text: string, more = {}) =>
      response.writeHead(status, { ...HEADERS, ...more, 'content-type': `${type}; charset=utf-8` }).end(text);
    if (method !== 'GET' && method !== 'HEAD')
      return answer(405, 'text/plain', 'This page can only be read.\n', { allow: 'GET, HEAD' });
    const path = url.replace(/[?#].*$/s, '');
    if (path === '/') return answer(200, 'text/html', statusPage(look()));
    if (path === '/ready.json') return answer(200, 'application/json', `${JSON.stringify(look().report)}\n`);
    return answer(404, 'text/plain', 'There is only / and /ready.json here.\n');
  };
}

function lookNowAndThen(boot: Boot): () => Status {
  let status: Status | undefined;
  let looked = 0;
  return () => {
    if (status && performance.now() - looked < FRESH) return status;
    const { config, consoles } = boot;
    const known = knownSecrets();
    const report = scrubValue(readyReport(boot), known) as ReadyReport;
    looked = performance.now();
    status = {
      config,
      report,
      facts: facts(report, { config, source: sourceText(boot, null) }),
      lately: consoles.lately.filter((text) => !text.trim().startsWith(READY_PREFIX)).map((text) => scrub(text, known)),
    };
    return status;
  };
}
