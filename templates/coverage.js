const data = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);
const MIB = 1024 * 1024;
const mib = (bytes) => (bytes / MIB).toFixed(bytes < 10 * MIB ? 2 : 1);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// --- Filters ---

const rows = [...document.querySelectorAll('#grid tbody tr[data-id]')];
const GAPS = ['not-on-media', 'absent'];

function applyFilters() {
  const words = byId('text').value.toLowerCase().split(/\s+/).filter(Boolean);
  const group = byId('group').value;
  const status = byId('status').value;
  const kind = byId('kernels')?.value ?? '';
  for (const cell of document.querySelectorAll('#grid [data-derived]')) {
    cell.hidden = kind !== '' && (cell.dataset.derived === 'true') !== (kind === 'derived');
  }
  const wanted = status === 'gap' ? GAPS : [status];
  for (const row of rows) {
    const shown = [...row.cells].filter((cell) => cell.dataset.status && !cell.hidden);
    row.hidden =
      !words.every((word) => row.dataset.words.includes(word)) ||
      (group !== '' && row.dataset.group !== group) ||
      (status !== '' && !shown.some((cell) => wanted.includes(cell.dataset.status)));
  }
  for (const body of document.querySelectorAll('#grid tbody')) {
    body.hidden = [...body.rows].every((row) => row.hidden || !row.dataset.id);
  }
  const left = rows.filter((row) => !row.hidden).length;
  byId('count').textContent = `${left} of ${rows.length} devices`;
  const first = visibleCells()[0]?.[0];
  const current = document.querySelector('#grid td[tabindex="0"]');
  if (first && (!current || current.hidden || current.closest('[hidden]'))) makeReachable(first);
}

// --- The table by keyboard: one cell is in the order of the Tab key, arrows move on from it ---

function visibleCells() {
  return rows
    .filter((row) => !row.hidden)
    .map((row) => [...row.cells].filter((cell) => cell.dataset.status && !cell.hidden));
}

function makeReachable(cell) {
  for (const other of document.querySelectorAll('#grid td[tabindex]'))
    if (other !== cell) other.removeAttribute('tabindex');
  cell.tabIndex = 0;
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function move(event) {
  const from = event.target.closest('td');
  const cells = visibleCells();
  const y = cells.findIndex((line) => line.includes(from));
  if (y < 0) return;
  const x = cells[y].indexOf(from);
  const [down, right] = MOVES[event.key] ?? [0, { Home: -x, End: cells[y].length - 1 - x }[event.key] ?? 0];
  const to = cells[y + down]?.[x + right];
  if (!to || to === from) return;
  event.preventDefault();
  choose(to);
  to.focus();
}

function choose(cell) {
  for (const other of document.querySelectorAll('#grid td.chosen')) other.classList.remove('chosen');
  cell.classList.add('chosen');
  makeReachable(cell);
  showDetail(cell.closest('tr').dataset.id, cell.dataset.kernel, cell.querySelector('.word').textContent);
}

function showDetail(id, kernelName, word) {
  const row = data.rows.find((each) => each.id === id);
  const kernel = data.kernels.find((each) => each.name === kernelName);
  const cell = row.cells[kernelName];
  const facts = [
    ['kernel', [kernel.title, kernel.release && `(${kernel.release})`, kernel.origin && `from ${kernel.origin}`]],
    ['answer', [word]],
    ['driver', [cell.module]],
    ['why', [cell.why]],
    ['to have it', [cell.bring.join(', or ')]],
    ['device', [row.device]],
    ['firmware', [firmwareText(cell.firmware)]],
  ];
  const list = element('dl');
  for (const [name, parts] of facts) {
    const text = parts.filter(Boolean).join(' ');
    if (text) list.append(element('dt', { textContent: name }), element('dd', { textContent: text }));
  }
  byId('detail').replaceChildren(element('h3', { textContent: row.title }), list);
  byId('detail').hidden = false;
}

function firmwareText(firmware) {
  if (!firmware) return '';
  const { present, missing } = firmware;
  return [
    present.length > 0 && `there: ${present.join(', ')}`,
    missing.length > 0 && `not there: ${missing.join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ');
}

// --- Treemap: squarified (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000) ---

/** Rectangles for items sorted by size, the biggest first; `of` tells an item's size. */
function squarified(items, of, box) {
  const placed = [];
  let { x, y, width, height } = box;
  let total = items.reduce((sum, item) => sum + of(item), 0);
  let rest = items.filter((item) => of(item) > 0);
  while (rest.length > 0 && width > 0 && height > 0) {
    const side = Math.min(width, height);
    const scale = (width * height) / total;
    let count = 1;
    while (count < rest.length && worst(rest, count + 1, of, scale, side) <= worst(rest, count, of, scale, side))
      count += 1;
    const line = rest.slice(0, count);
    const sum = line.reduce((bytes, item) => bytes + of(item), 0);
    const thick = (sum * scale) / side;
    let along = 0;
    for (const item of line) {
      const length = (of(item) / sum) * side;
      placed.push(
        width < height
          ? { item, x: x + along, y, width: length, height: thick }
          : { item, x, y: y + along, width: thick, height: length },
      );
      along += length;
    }
    if (width < height) [y, height] = [y + thick, height - thick];
    else [x, width] = [x + thick, width - thick];
    total -= sum;
    rest = rest.slice(count);
  }
  return placed;
}

/** The least square of the first `count` items when they share a line along `side`. */
function worst(items, count, of, scale, side) {
  const areas = items.slice(0, count).map((item) => of(item) * scale);
  const sum = areas.reduce((all, area) => all + area, 0);
  return Math.max(
    ...areas.map((area) => Math.max((side * side * area) / (sum * sum), (sum * sum) / (side * side * area))),
  );
}

const HEAD = 20;

function drawTreemap() {
  const { kernel, items } = sizesShown();
  const map = byId('treemap');
  const box = { x: 0, y: 0, width: map.clientWidth, height: map.clientHeight };
  const total = items.reduce((sum, item) => sum + item.bytes, 0);
  const areas = joinSmall(areasOf(items), total / 400);
  const tiles = [];
  for (const { item: area, ...place } of squarified(areas, (each) => each.bytes, box)) {
    const nested = area.items.length > 1 && place.width > 60 && place.height > 3 * HEAD;
    if (nested) tiles.push(tileHead(area, place));
    const inside = nested
      ? { x: place.x + 2, y: place.y + HEAD, width: place.width - 4, height: place.height - HEAD - 2 }
      : place;
    const parts = nested
      ? squarified(joinSmall(area.items, total / 800), (each) => each.bytes, inside)
      : [{ item: alone(area), ...place }];
    for (const part of parts) tiles.push(tile(part, area));
  }
  map.replaceChildren(...tiles);
  map.dataset.kernel = kernel.name;
  byId('size-total').textContent = `${mib(total)} MiB in ${items.reduce((sum, item) => sum + item.files, 0)} files`;
  drawSizeTable(items);
}

function sizesShown() {
  const kernel = data.kernels.find(({ name }) => name === byId('size-kernel').value);
  return { kernel, items: kernel.sizes[byId('size-by').value] };
}

/** Directories below a common one: `drivers/net` holds `drivers/net/ethernet/intel`. */
function areasOf(items) {
  const areas = new Map();
  for (const item of items) {
    const name = item.kind === 'firmware' ? 'firmware' : item.name.split('/').slice(0, 2).join('/');
    const area = areas.get(name) ?? { name, kind: item.kind, bytes: 0, files: 0, items: [] };
    area.bytes += item.bytes;
    area.files += item.files;
    area.items.push(item);
    areas.set(name, area);
  }
  return [...areas.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Those too small to be seen become one. */
function joinSmall(items, least) {
  const small = items.filter(({ bytes }) => bytes < least);
  if (small.length < 2) return items;
  const sum = (key) => small.reduce((all, item) => all + item[key], 0);
  const name = `${small.length} smaller`;
  const joined = { name, kind: 'modules', bytes: sum('bytes'), files: sum('files'), items: [] };
  return [...items.filter(({ bytes }) => bytes >= least), joined].sort((a, b) => b.bytes - a.bytes);
}

const alone = ({ name, kind, bytes, files }) => ({ name, kind, bytes, files });

/** The same colour for the same name, on every kernel. */
const hue = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);

function placeAt(made, { x, y, width, height }, name) {
  Object.assign(made.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  made.style.setProperty('--hue', hue(name));
  return made;
}

function tileHead(area, place) {
  const text = `${area.name} ${mib(area.bytes)} MiB`;
  return placeAt(element('div', { className: 'area', textContent: text, title: text }), place, area.name);
}

function tile({ item, ...place }, area) {
  const short = item.name.startsWith(`${area.name}/`) ? item.name.slice(area.name.length + 1) : item.name;
  const title = `${item.name}: ${mib(item.bytes)} MiB in ${item.files} files`;
  const made = element('div', { className: `tile ${item.kind}`, title });
  made.dataset.bytes = item.bytes;
  if (place.width > 44 && place.height > 18) made.append(element('b', { textContent: short }));
  if (place.width > 44 && place.height > 36) made.append(element('span', { textContent: `${mib(item.bytes)} MiB` }));
  return placeAt(made, place, area.name);
}

function drawSizeTable(items) {
  const cell = (textContent, className = '') => element('td', { textContent, className });
  const lines = items.map(({ name, kind, files, bytes }) =>
    element('tr', {}, cell(name), cell(kind), cell(files, 'number'), cell(mib(bytes), 'number')),
  );
  document.querySelector('.sizes tbody').replaceChildren(...lines);
}

// --- Start ---

for (const id of ['text', 'group', 'status', 'kernels']) byId(id)?.addEventListener('input', applyFilters);
for (const form of document.querySelectorAll('form')) {
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
}
byId('grid').addEventListener('keydown', move);
byId('grid').addEventListener('click', (event) => {
  const cell = event.target.closest('td');
  if (cell) choose(cell);
});
byId('grid').addEventListener('focusin', (event) => {
  if (event.target.matches('td')) choose(event.target);
});
applyFilters();

if (byId('treemap')) {
  const sized = data.kernels.filter(({ sizes }) => sizes);
  byId('size-kernel').append(
    ...sized.map(({ name, title, release }) =>
      element('option', { value: name, textContent: `${title} (${release})` }),
    ),
  );
  for (const id of ['size-kernel', 'size-by']) byId(id).addEventListener('input', drawTreemap);
  new ResizeObserver(drawTreemap).observe(byId('treemap'));
  drawTreemap();
}
