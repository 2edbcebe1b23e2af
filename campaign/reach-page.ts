/** The heat map of a system's coverage: one HTML file, sites by sites, without network. */
import type { PairSeen, Reach } from './reach.ts';

const CELL = 6;
const MARGIN = 190;

/** @param all one section for each system */
export function reachPage(all: readonly Reach[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Stagewright coverage</title>
<style>${STYLE}</style>
</head>
<body>
<h1>What met what</h1>
<p>Each square is a conflict pair: two actors touch one object next to each other, at least one of them writing. The row comes first, the
column after it. Choose a square (click, or Tab and the arrow keys) for an example.</p>
<p class="key"><span class="both"></span> corpus and campaign <span class="corpus"></span> corpus only
<span class="often"></span> campaign <span class="rare"></span> campaign, in one or two executions</p>
${all.map(section).join('\n')}
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function section(reach: Reach): string {
  const { system, seed, executions, cases, pairs, goals, transitions, figures } = reach;
  const { unseen } = figures.pairs;
  return `<section>
<h2>${escapeHtml(system)}</h2>
<p>${pairs.length} conflict pairs in ${cases} cases and ${executions} executions of seed ${seed}; an estimate of the pairs that these strategies
could reach and have not: ${unseen}.</p>
<div class="map">${heatMap(reach)}<output class="shown" aria-live="polite">no pair chosen</output></div>
${goals.length === 0 ? '' : goalTable(reach)}
<h3>What became of entries</h3>
<table><tr><th>level</th><th>from</th><th>to</th><th>corpus</th><th>campaign</th><th>example</th></tr>
${transitions
  .map(
    ({ level, from, to, corpus, campaign, example }) =>
      `<tr><td>${level}</td><td>${from}</td><td>${to}</td><td>${corpus}</td><td>${campaign}</td><td><code>${escapeHtml(example)}</code></td></tr>`,
  )
  .join('\n')}
</table>
</section>`;
}

function goalTable({ goals }: Reach): string {
  const rows = goals.map(
    ({ id, title, isReached, example }) =>
      `<tr class="${isReached ? '' : 'missing'}"><td>${isReached ? 'reached' : 'NOT REACHED'}</td><td>${escapeHtml(id)}</td><td>${escapeHtml(title)}</td><td><code>${escapeHtml(example ?? '')}</code></td></tr>`,
  );
  return `<h3>Goals</h3>\n<table><tr><th></th><th>goal</th><th></th><th>example</th></tr>\n${rows.join('\n')}\n</table>`;
}

/** Only sites that are in a pair get a row and a column. */
function heatMap({ sites, pairs }: Reach): string {
  const used = sites.filter((site) =>
    pairs.some(({ before, after }) => before === site || after === site),
  );
  const place = new Map(used.map((site, index) => [site, MARGIN + index * CELL]));
  const end = MARGIN + used.length * CELL;
  const groups = groupsOf(used);
  const lines = groups.map(({ name, from, to }) => {
    const start = MARGIN + from * CELL;
    const middle = MARGIN + ((from + to) / 2) * CELL + 3;
    const label = to - from > 1 ? escapeHtml(name) : '';
    return `<path d="M${MARGIN - 4} ${start}H${end}M${start} ${MARGIN - 4}V${end}"/><text x="${MARGIN - 8}" y="${middle}" text-anchor="end">${label}</text><text transform="translate(${middle} ${MARGIN - 8}) rotate(-90)">${label}</text>`;
  });
  const cells = pairs.map((pair) => cell(pair, place));
  return `<svg role="grid" tabindex="0" viewBox="0 0 ${end + 4} ${end + 4}" width="${end + 4}" height="${end + 4}">
<g class="frame">${lines.join('')}</g>
${cells.join('\n')}
</svg>`;
}

function cell(pair: PairSeen, place: ReadonlyMap<string, number>): string {
  const { before, after, corpus, campaign, example } = pair;
  const often = campaign >= 3 ? 'often' : 'rare';
  const kind = corpus === 0 ? often : campaign === 0 ? 'corpus' : 'both';
  const title = `${before} -> ${after}`;
  return `<rect class="${kind}" x="${place.get(after)}" y="${place.get(before)}" width="${CELL - 1}" height="${CELL - 1}" data-corpus="${corpus}" data-campaign="${campaign}" data-example="${escapeHtml(example)}"><title>${escapeHtml(title)}</title></rect>`;
}

function groupsOf(sites: readonly string[]): { name: string; from: number; to: number }[] {
  const groups: { name: string; from: number; to: number }[] = [];
  sites.forEach((site, index) => {
    const [name = ''] = site.split('.');
    const last = groups.at(-1);
    if (last?.name === name) last.to = index + 1;
    else groups.push({ name, from: index, to: index + 1 });
  });
  return groups;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Colours that are told apart without seeing red or green: by lightness first. */
const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem; color: #1b1b1b; background: #fff; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; }
.map { display: flex; gap: 1rem; align-items: flex-start; overflow-x: auto; }
svg { flex: none; } svg:focus { outline: 2px solid #1b1b1b; }
.frame path { stroke: #ddd; fill: none; } .frame text { font-size: 9px; fill: #555; }
rect.both, .key .both { fill: #081d58; background: #081d58; }
rect.often, .key .often { fill: #2c7fb8; background: #2c7fb8; }
rect.rare, .key .rare { fill: #a1dab4; background: #a1dab4; }
rect.corpus, .key .corpus { fill: #d95f02; background: #d95f02; }
rect { cursor: pointer; } rect.chosen { stroke: #1b1b1b; stroke-width: 2; }
.key span { display: inline-block; width: 0.9rem; height: 0.9rem; vertical-align: -0.1rem; margin-left: 1rem; }
.shown { position: sticky; top: 1rem; left: 0; min-width: 22rem; white-space: pre-wrap; font-family: ui-monospace, monospace; background: #f4f4f4; padding: 0.8rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 0.15rem 0.8rem 0.15rem 0; border-bottom: 1px solid #e5e5e5; }
.missing { font-weight: bold; }
`;

const SCRIPT = `
for (const svg of document.querySelectorAll('svg')) {
  const shown = svg.parentElement.querySelector('.shown');
  const cells = [...svg.querySelectorAll('rect')];
  const at = (cell) => [Number(cell.getAttribute('x')), Number(cell.getAttribute('y'))];
  let chosen;
  const choose = (cell) => {
    if (cell === undefined) return;
    chosen?.classList.remove('chosen');
    chosen = cell;
    cell.classList.add('chosen');
    const { corpus, campaign, example } = cell.dataset;
    const times = campaign === '3' ? '3 or more' : campaign;
    shown.textContent = cell.firstElementChild.textContent.replace(' -> ', '\\n  then ') +
      '\\n\\n' + corpus + ' cases of the corpus\\n' + times + ' executions\\n\\nstagewright replay ' + example;
  };
  svg.addEventListener('click', (event) => choose(event.target.closest('rect') ?? undefined));
  const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 1], ArrowUp: [1, -1] };
  svg.addEventListener('keydown', (event) => {
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    if (chosen === undefined) return choose(cells[0]);
    const [axis, sign] = move;
    const here = at(chosen);
    const next = cells.filter((cell) => (at(cell)[axis] - here[axis]) * sign > 0);
    const far = (cell) => Math.abs(at(cell)[axis] - here[axis]) + 4 * Math.abs(at(cell)[1 - axis] - here[1 - axis]);
    choose(next.sort((a, b) => far(a) - far(b))[0]);
  });
}
`;
