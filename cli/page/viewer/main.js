/** The viewer: one run or two side by side, a cursor in each, the state beside them, keyboard and search. */
import { byId, element } from './dom.js';
import { Lanes } from './lanes.js';
import { cardsAt } from './panels.js';
import { DETAILS, partingOf, Run } from './run.js';
import { State } from './state.js';

/** @typedef {import('./run.js').Detail} Detail */
/** @typedef {{ run: Run, state: State, lanes: Lanes }} Pane */

/** Rows that Page Up and Page Down pass. */
const PAGE = 20;

/** @type {readonly (readonly [string, string])[]} */
const HELP = [
  ['↑ ↓ or k j', 'the row before, the next row'],
  ['← →', 'the same actor: before, next'],
  ['[ ]', 'an event that this one depends on; one that depends on it'],
  ['w W', 'the next and the previous access of the same word'],
  ['v', 'where the promise is broken'],
  ['m M', 'the next and the previous mark'],
  ['Home End PgUp PgDn', 'far'],
  ['1 2 3', 'the story, every event, everything'],
  ['/ n N', 'search, next, previous'],
  ['s', 'side by side with the run that passes'],
  ['Tab or x', 'the other run'],
  ['a', 'all happens-before arrows in sight'],
  ['e', 'state, explanation, case'],
  ['t', 'light or dark'],
  ['?', 'this list'],
];

const TABS = /** @type {const} */ (['state', 'explanation', 'case']);

class Viewer {
  /** @param {import('./run.js').View} view */
  constructor(view) {
    this.view = view;
    /** @type {Pane[]} */
    this.panes = view.runs.map((data, index) => {
      const run = new Run(data);
      const lanes = new Lanes(run, (row) => this.pick(index, row));
      return { run, state: new State(run), lanes };
    });
    this.active = 0;
    this.isSideBySide = false;
    /** @type {Detail} */
    this.detail = this.panes[0].run.shown.story.length > 0 ? 'story' : 'events';
    /** @type {(typeof TABS)[number]} */
    this.tab = 'state';
    this.found = new Int32Array(0);
    const [one, other] = this.panes;
    if (other !== undefined) {
      const parting = partingOf(one.run, other.run);
      for (const { lanes } of this.panes) lanes.parting = parting;
    }
  }

  get pane() {
    return this.panes[this.active];
  }

  start() {
    byId('title').textContent = this.view.title;
    byId('subtitle').textContent = this.view.subtitle;
    byId('verdict').textContent = this.view.verdict;
    document.title = `${this.view.title} · Stagewright`;
    byId('explanation').textContent = this.view.explanation.join('\n');
    byId('case').textContent = this.view.text;
    byId('keys').append(
      ...HELP.flatMap(([keys, what]) => [element('dt', {}, keys), element('dd', {}, what)]),
    );
    byId('runs').append(...this.panes.map(({ lanes }) => lanes.root));
    byId('side').hidden = this.panes.length < 2;
    byId('swap').hidden = this.panes.length < 2;
    this.chips();
    this.listen();
    this.setDetail(this.detail);
    this.isSideBySide = this.panes.length > 1 && window.innerWidth >= 1500;
    this.layout();
    const { violation } = this.panes[0].run.data;
    this.go(violation >= 0 ? violation : 0);
    this.pane.lanes.scroller.focus();
  }

  listen() {
    document.addEventListener('keydown', (event) => this.key(event));
    for (const detail of DETAILS)
      byId(`detail-${detail}`).addEventListener('click', () => this.setDetail(detail));
    for (const tab of TABS) byId(`tab-${tab}`).addEventListener('click', () => this.setTab(tab));
    byId('side').addEventListener('click', () => this.toggleSide());
    byId('swap').addEventListener('click', () => this.swap());
    byId('arrows').addEventListener('click', () => this.toggleArrows());
    byId('theme').addEventListener('click', () => this.toggleTheme());
    byId('help').addEventListener('click', () => this.toggleHelp());
    byId('close-help').addEventListener('click', () => this.toggleHelp());
    const search = this.searchField;
    search.addEventListener('input', () => this.search(search.value));
    search.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Enter') this.goFound(event.shiftKey ? -1 : 1);
      if (event.key === 'Escape') this.pane.lanes.scroller.focus();
    });
  }

  get searchField() {
    return /** @type {HTMLInputElement} */ (byId('search'));
  }

  /** Buttons that lead to what matters. */
  chips() {
    const { run } = this.panes[0];
    const wanted = /** @type {const} */ ({
      first: '① first of the pair',
      second: '② second of the pair',
      survivor: '⚑ what survives',
      inevitable: '⊣ no way out',
      violation: '✗ broken promise',
    });
    const marks = [...run.data.marks].sort((a, b) => a.row - b.row);
    const chips = marks.flatMap((mark) => {
      const text = wanted[/** @type {keyof typeof wanted} */ (mark.kind)];
      if (text === undefined) return [];
      const chip = element('button', { class: `chip ${mark.kind}`, title: mark.text }, text);
      chip.addEventListener('click', () => {
        this.pick(0, mark.row);
        this.pane.lanes.scroller.focus();
      });
      return [chip];
    });
    const orders = run.data.orders.map(({ text, before, after }) => {
      const chip = element('button', { class: 'chip order', title: `order: ${text}` }, `≺ ${text}`);
      chip.addEventListener('click', () => {
        const event = after >= 0 ? after : before;
        if (event >= 0) this.pick(0, run.rowsOf(event).from);
      });
      return chip;
    });
    byId('chips').append(...chips, ...orders);
  }

  // ---- moving ----

  /** @param {number} pane @param {number} row */
  pick(pane, row) {
    this.active = pane;
    this.go(row);
  }

  /** @param {number} row */
  go(row) {
    const { run, lanes } = this.pane;
    lanes.setCursor(Math.max(0, Math.min(run.rowCount - 1, row)));
    this.follow();
    this.show();
  }

  /** The other run's cursor goes to the event of the same name, if it has one. */
  follow() {
    const other = this.panes[1 - this.active];
    if (other === undefined) return;
    const { run, lanes } = this.pane;
    const name = run.nameOf(run.eventOf(lanes.cursor));
    if (name === '') return;
    const text = other.run.data.texts.indexOf(name);
    const event = text < 0 ? undefined : other.run.eventByName.get(text);
    if (event === undefined) return;
    const { from, to } = other.run.rowsOf(event);
    const wanted = run.textOf(lanes.cursor);
    let row = from;
    for (let at = to - 1; at >= from; at -= 1) if (other.run.textOf(at) === wanted) row = at;
    other.lanes.setCursor(row);
  }

  /** The state at the cursor, and what a screen reader says. */
  show() {
    const { run, state, lanes } = this.pane;
    byId('state').replaceChildren(...cardsAt(run, state, lanes.cursor));
    byId('live').textContent =
      `step ${run.data.rows.step[lanes.cursor]}, ${run.whoOf(lanes.cursor)}: ${run.textOf(lanes.cursor)}`;
    this.panes.forEach((pane, index) => {
      pane.lanes.root.classList.toggle('active', index === this.active);
    });
  }

  /** @param {number} by places among the shown rows */
  step(by) {
    const { run, lanes } = this.pane;
    const place = run.placeOf(this.detail, lanes.cursor) + by;
    this.go(lanes.rows[Math.max(0, Math.min(lanes.rows.length - 1, place))]);
  }

  /** @param {1 | -1} step */
  goMark(step) {
    const { run, lanes } = this.pane;
    const rows = [...run.marks.keys()].sort((a, b) => a - b);
    const next =
      step > 0
        ? rows.find((row) => row > lanes.cursor)
        : rows.reverse().find((row) => row < lanes.cursor);
    if (next !== undefined) this.go(next);
  }

  /** @param {Map<number, number[]>} ends events at the other ends of arrows */
  goAlong(ends) {
    const { run, lanes } = this.pane;
    const next = ends.get(run.eventOf(lanes.cursor))?.at(-1);
    if (next !== undefined) this.go(run.rowsOf(next).from);
  }

  // ---- search ----

  /** @param {string} text */
  search(text) {
    this.found = this.pane.run.search(text);
    for (const pane of this.panes) {
      const rows = pane === this.pane ? this.found : pane.run.search(text);
      pane.lanes.found = new Set(rows);
      pane.lanes.paint();
    }
    byId('count').textContent = text.trim() === '' ? '' : `${this.found.length} found`;
  }

  /** @param {1 | -1} step */
  goFound(step) {
    const { cursor } = this.pane.lanes;
    if (this.found.length === 0) return;
    const rows = step > 0 ? [...this.found] : [...this.found].reverse();
    const next = rows.find((row) => (step > 0 ? row > cursor : row < cursor)) ?? rows[0];
    if (!this.pane.lanes.rows.includes(next)) this.setDetail('everything');
    this.go(next);
    byId('count').textContent = `${this.found.indexOf(next) + 1} of ${this.found.length}`;
  }

  // ---- what is shown ----

  /** @param {Detail} detail */
  setDetail(detail) {
    this.detail = detail;
    for (const one of DETAILS)
      byId(`detail-${one}`).setAttribute('aria-pressed', String(one === detail));
    for (const { lanes } of this.panes) lanes.setDetail(detail);
  }

  /** @param {(typeof TABS)[number]} tab */
  setTab(tab) {
    this.tab = tab;
    for (const one of TABS) {
      byId(`tab-${one}`).setAttribute('aria-selected', String(one === tab));
      byId(one).hidden = one !== tab;
    }
  }

  layout() {
    const isOne = !this.isSideBySide;
    this.panes.forEach(({ lanes }, index) => {
      lanes.root.hidden = isOne && index !== this.active;
    });
    byId('side').setAttribute('aria-pressed', String(this.isSideBySide));
    for (const { lanes } of this.panes) {
      lanes.clear();
      lanes.reveal();
    }
  }

  toggleSide() {
    if (this.panes.length < 2) return;
    this.isSideBySide = !this.isSideBySide;
    this.layout();
    this.show();
  }

  swap() {
    if (this.panes.length < 2) return;
    this.active = 1 - this.active;
    this.layout();
    this.show();
    this.pane.lanes.scroller.focus();
  }

  toggleArrows() {
    const shows = !this.pane.lanes.showsAllArrows;
    byId('arrows').setAttribute('aria-pressed', String(shows));
    for (const { lanes } of this.panes) {
      lanes.showsAllArrows = shows;
      lanes.paint();
    }
  }

  toggleTheme() {
    const root = document.documentElement;
    const isDark = getComputedStyle(root).colorScheme === 'dark';
    root.dataset.theme = isDark ? 'light' : 'dark';
    for (const { lanes } of this.panes) lanes.paint();
  }

  toggleHelp() {
    const dialog = /** @type {HTMLDialogElement} */ (byId('help-list'));
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  // ---- keyboard ----

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLButtonElement && (event.key === 'Enter' || event.key === ' '))
      return;
    const action = this.actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  }

  /** @type {Record<string, () => void>} */
  get actions() {
    const { run, lanes } = this.pane;
    return {
      ArrowDown: () => this.step(1),
      j: () => this.step(1),
      ArrowUp: () => this.step(-1),
      k: () => this.step(-1),
      ArrowRight: () => this.go(run.nextInLane(this.detail, lanes.cursor, 1)),
      ArrowLeft: () => this.go(run.nextInLane(this.detail, lanes.cursor, -1)),
      PageDown: () => this.step(PAGE),
      PageUp: () => this.step(-PAGE),
      Home: () => this.go(lanes.rows[0]),
      End: () => this.go(lanes.rows[lanes.rows.length - 1]),
      '[': () => this.goAlong(run.causes),
      ']': () => this.goAlong(run.effects),
      w: () => this.goWord(1),
      W: () => this.goWord(-1),
      v: () => this.go(run.data.violation >= 0 ? run.data.violation : lanes.cursor),
      m: () => this.goMark(1),
      M: () => this.goMark(-1),
      1: () => this.setDetail('story'),
      2: () => this.setDetail('events'),
      3: () => this.setDetail('everything'),
      '/': () => this.searchField.select(),
      n: () => this.goFound(1),
      N: () => this.goFound(-1),
      s: () => this.toggleSide(),
      x: () => this.swap(),
      a: () => this.toggleArrows(),
      e: () => this.setTab(TABS[(TABS.indexOf(this.tab) + 1) % TABS.length]),
      t: () => this.toggleTheme(),
      '?': () => this.toggleHelp(),
    };
  }

  /** @param {1 | -1} step */
  goWord(step) {
    const { run, lanes } = this.pane;
    const next = run.nextOfWord(lanes.cursor, step);
    if (next !== lanes.cursor && lanes.rows[run.placeOf(this.detail, next)] !== next)
      this.setDetail('everything');
    this.go(next);
  }
}

const data = byId('data').textContent ?? '';
new Viewer(JSON.parse(data)).start();
document.documentElement.dataset.ready = 'yes';
