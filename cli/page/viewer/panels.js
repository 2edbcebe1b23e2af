/** What the machine holds at the cursor: the step itself, page tables, TLBs, locks, pages and the rest. */
import { element } from './dom.js';

/** @typedef {import('./run.js').Run} Run */
/** @typedef {import('./state.js').State} State */
/** @typedef {import('../../../fuzz/view/view.ts').StateGroup} StateGroup */

/** Lines of one card; more is said to be left out. */
const LINES_MAX = 160;

/** Cards after the tables, in the order in which they are shown. */
const CARDS = /** @type {readonly (readonly [StateGroup, string, string])[]} */ ([
  ['tlb', 'TLBs', 'nothing is cached'],
  ['invalidation', 'Invalidations on their way', 'none'],
  ['store', 'Stores that nobody else sees yet', ''],
  ['lock', 'Locks', 'all free'],
  ['section', 'Read sections', ''],
  ['page', 'Pages', 'none in use'],
  ['register', 'Registers written', ''],
  ['variable', 'Variables', ''],
]);

/**
 * The cards for a row.
 * @param {Run} run
 * @param {State} state
 * @param {number} row
 * @returns {HTMLElement[]}
 */
export function cardsAt(run, state, row) {
  const event = run.eventOf(row);
  const { from, to } = event < 0 ? { from: row, to: row + 1 } : run.rowsOf(event);
  state.goTo(to);
  const changed = state.changedIn(from, to);
  return [
    stepCard(run, state, event, from, to, changed),
    ...run.data.trees.map((tree) => treeCard(run, state, tree, changed)),
    ...CARDS.map(([group, title, empty]) => groupCard(run, state, group, title, empty, changed)),
  ].filter((card) => card !== undefined);
}

/**
 * @param {string} title
 * @param {(HTMLElement | string)[]} content
 * @param {string} kind
 */
function card(title, content, kind = '') {
  return element('section', { class: `card ${kind}` }, element('h3', {}, title), ...content);
}

/**
 * @param {Run} run
 * @param {State} state
 * @param {number} event
 * @param {number} from
 * @param {number} to
 * @param {Map<number, number>} changed
 */
function stepCard(run, state, event, from, to, changed) {
  const { rows, events, operations, sites, keys } = run.data;
  const operation = operations[rows.operation[from]];
  const who = operation === undefined ? 'boot' : `${operation.name}: ${operation.text}`;
  const name = event < 0 ? '' : run.nameOf(event);
  const time = event < 0 ? '' : ` · ${events.clock[event]} ns`;
  const list = element('ul', { class: 'rows' });
  for (let row = from; row < to; row += 1) {
    const marks = run.marks.get(row) ?? [];
    const item = element('li', { class: marks.length > 0 ? 'marked' : '' }, run.textOf(row));
    for (const mark of marks) item.append(element('em', { class: `note ${mark.kind}` }, mark.text));
    list.append(item);
  }
  const changes = [...changed].map(([key, old]) =>
    line(`${keys[key].label}`, state.textOf(state.values[key]) || 'gone', state.textOf(old) || '—'),
  );
  return card(
    `Step ${rows.step[from]}${time}`,
    [
      element('p', { class: 'who' }, who),
      element('p', { class: 'name' }, name === '' ? sites[rows.site[from]] : name),
      list,
      ...(changes.length > 0 ? [element('h4', {}, 'It changed'), ...changes] : []),
    ],
    'step-card',
  );
}

/**
 * @param {string} label
 * @param {string} value
 * @param {string | undefined} old what was there before this step
 * @param {number} depth
 */
function line(label, value, old = undefined, depth = 0) {
  const made = element(
    'div',
    { class: `line${old === undefined ? '' : ' changed'}` },
    element('span', { class: 'label' }, label),
    element('span', { class: 'value' }, value),
  );
  if (old !== undefined) made.append(element('span', { class: 'old' }, `was ${old}`));
  made.style.paddingLeft = `${8 + depth * 16}px`;
  return made;
}

/**
 * @param {Run} run
 * @param {State} state
 * @param {StateGroup} group
 * @param {string} title
 * @param {string} empty
 * @param {Map<number, number>} changed
 */
function groupCard(run, state, group, title, empty, changed) {
  /** @type {HTMLElement[]} */
  const lines = [];
  let more = 0;
  run.data.keys.forEach((key, index) => {
    if (key.group !== group) return;
    const old = changed.get(index);
    const value = state.values[index];
    if (value < 0 && old === undefined) return;
    if (lines.length >= LINES_MAX) {
      more += 1;
      return;
    }
    lines.push(line(key.label, state.textOf(value) || 'gone', textOfOld(state, old)));
  });
  if (more > 0) lines.push(element('p', { class: 'empty' }, `and ${more} more`));
  if (lines.length === 0 && empty === '') return undefined;
  const content = lines.length > 0 ? lines : [element('p', { class: 'empty' }, empty)];
  return card(title, content, group);
}

/**
 * @param {State} state
 * @param {number | undefined} old
 */
function textOfOld(state, old) {
  return old === undefined ? undefined : state.textOf(old) || '—';
}

/**
 * @param {Run} run
 * @param {State} state
 * @param {import('../../../fuzz/view/view.ts').ViewTree} tree
 * @param {Map<number, number>} changed
 */
function treeCard(run, state, tree, changed) {
  const root = state.values[tree.rootKey];
  if (root < 0) return undefined;
  const first = run.data.values[root].child;
  /** @type {HTMLElement[]} */
  const lines = [];
  const span = (/** @type {number} */ level) => 2 ** (tree.bitsPerLevel * (3 - level));
  /** @param {number} frame @param {number} level @param {number} from @param {number} depth */
  const walk = (frame, level, from, depth) => {
    for (const key of state.entriesOf.get(frame) ?? []) {
      const value = state.values[key];
      const old = changed.get(key);
      if (lines.length >= LINES_MAX || (value < 0 && old === undefined)) continue;
      const { index } = run.data.keys[key];
      const start = from + index * span(level);
      const range =
        span(level) === 1 ? hex(start) : `${hex(start)} to ${hex(start + span(level) - 1)}`;
      const label = `L${level}[${index}] ${range}`;
      lines.push(line(label, state.textOf(value) || 'empty', textOfOld(state, old), depth));
      const child = value < 0 ? -1 : run.data.values[value].child;
      // a damaged table may name a page above itself
      if (child >= 0 && level < 3 && depth < 5) walk(child, level + 1, start, depth + 1);
    }
  };
  for (let page = 0; page < tree.rootPages; page += 1) {
    const reach = 2 ** (tree.bitsPerLevel * (4 - tree.startLevel));
    walk(first + page, tree.startLevel, page * reach, 0);
  }
  if (lines.length >= LINES_MAX) lines.push(element('p', { class: 'empty' }, 'and more'));
  if (lines.length === 0) lines.push(element('p', { class: 'empty' }, 'no entries'));
  const caption = element('p', { class: 'caption' }, `root at page ${first}`);
  return card(`Table: ${tree.name}`, [caption, ...lines], 'tree');
}

/** @param {number} page */
function hex(page) {
  return `0x${page.toString(16)}`;
}
