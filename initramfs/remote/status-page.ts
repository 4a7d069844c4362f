import type { ReadyReport } from '../../contract/report.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import { type Row, running, title } from '../screen/facts.ts';

/** Seconds after which a browser asks again. */
const AGAIN = 10;

export interface Status {
  config: RescueConfig;
  report: ReadyReport;
  /** As the first screen has them. */
  facts: readonly Row[];
  /** What the consoles said last, the newest last. */
  lately: readonly string[];
}

/** Rows that a person should see first. */
const BAD = ['Problems', 'Missing'];

/** The first screen as a page that needs nothing else: no script, no other file. */
export function statusPage({ config, report, facts, lately }: Status): string {
  const [bad, fine] = [true, false].map((wanted) => facts.filter(([name]) => BAD.includes(name) === wanted));
  const problems = report.problems.length;
  const verdict = problems === 0 ? 'No problems' : `${problems} problem${problems > 1 ? 's' : ''}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${AGAIN}">
<title>${escaped(config.name)}: ${escaped(report.mode)}, ${verdict.toLowerCase()}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escaped(config.name)}</h1>
<p>${escaped(title(config))}</p>
<p><span class="badge">${escaped(report.mode)} mode</span> <span class="badge ${problems === 0 ? 'good' : 'bad'}">${verdict}</span></p>
</header>
<main>
<section>
<h2>What was found</h2>
<p class="quiet">${escaped(running(report))}</p>
<dl>
${[...(bad ?? []), ...(fine ?? [])].map(factRow).join('\n')}
</dl>
</section>
<section>
<h2>Said on the consoles lately</h2>
<pre>${escaped(lately.join('').trim())}</pre>
</section>
</main>
<footer>Read-only. Loaded anew every ${AGAIN} seconds. For programs: <a href="/ready.json">ready.json</a></footer>
</body>
</html>
`;
}

function factRow([name, lines]: Row): string {
  const some = lines.length > 0 ? lines : ['none found'];
  const bad = BAD.includes(name) ? ' class="bad"' : '';
  const values = some.map((line) => `<dd>${escaped(line)}</dd>`).join('');
  return `<div${bad}><dt>${escaped(name)}</dt>${values}</div>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** As text in HTML; control characters are not to be seen. */
export function escaped(text: string): string {
  return text.replaceAll(/[\0-\x08\x0b-\x1f\x7f]/g, '').replaceAll(/[&<>"']/g, (one) => ENTITIES[one] ?? '');
}

const STYLE = `
:root { color-scheme: light dark;
  --page: light-dark(#f6f7f9, #14171c); --card: light-dark(#fff, #1c2128); --line: light-dark(#d8dde3, #343b45);
  --text: light-dark(#1b1f24, #e6e9ee); --quiet: light-dark(#59636e, #9aa5b1);
  --good: light-dark(#116329, #7ee2a0); --good-back: light-dark(#dff5e5, #12351f);
  --bad: light-dark(#a0111f, #ff9aa2); --bad-back: light-dark(#fde2e4, #4b161b); --accent: light-dark(#0a5fc2, #6cb2ff) }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) 2rem; max-width: 64rem; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere }
h2 { margin: 0 0 .5rem; font-size: 1.1rem }
p { margin: .25rem 0 .75rem }
section { margin: 1rem 0; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px }
.quiet, footer { color: var(--quiet); font-size: .9em }
.badge { display: inline-block; padding: .15rem .7rem; border-radius: 99px; border: 1px solid var(--line); background: var(--card) }
.badge.good { color: var(--good); background: var(--good-back); border-color: transparent }
.badge.bad { color: var(--bad); background: var(--bad-back); border-color: transparent; font-weight: 600 }
dl { margin: 0 }
dl div { display: grid; grid-template-columns: 7rem 1fr; gap: 0 1rem; padding: .4rem 0; border-top: 1px solid var(--line) }
dt { font-weight: 600; grid-row: 1 / 99 }
dd { margin: 0; grid-column: 2; overflow-wrap: anywhere; white-space: pre-wrap }
.bad dt, .bad dd { color: var(--bad) }
pre { margin: 0; font: 13px/1.5 ui-monospace, "Liberation Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere }
a { color: var(--accent) }
@media (max-width: 34rem) { dl div { grid-template-columns: 1fr } dt { grid-row: auto } dd { grid-column: 1 } }
`;
