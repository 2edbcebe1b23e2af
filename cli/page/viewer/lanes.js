/** The swim lanes of one run: only the rows in sight are elements; arrows and lane lines lie under them. */
import { element, svg } from './dom.js';

/** @typedef {import('./run.js').Run} Run */
/** @typedef {import('./run.js').Detail} Detail */

export const ROW_HEIGHT = 24;
/** Left of the lanes: step, virtual time, marks. */
const GUTTER = 148;
/** From the left edge of a lane to its line. */
const LINE = 14;
const OVERSCAN = 6;

/** What stands in front of marked rows. */
const MARK_SIGNS = {
  violation: '✗',
  survivor: '⚑',
  first: '①',
  second: '②',
  order: '≺',
  choice: '?',
  inevitable: '⊣',
  parting: '≠',
};

export class Lanes {
  /**
   * @param {Run} run
   * @param {(row: number) => void} onPick
   */
  constructor(run, onPick) {
    this.run = run;
    /** @type {Detail} */
    this.detail = 'story';
    this.cursor = 0;
    this.showsAllArrows = false;
    /** @type {Set<number>} rows that a search found */
    this.found = new Set();
    this.parting = -1;
    this.onPick = onPick;
    /** @type {Map<number, HTMLElement>} elements by place */
    this.elements = new Map();

    const { label, outcome, violation } = run.data;
    const isFailing = violation >= 0;
    this.title = element(
      'header',
      { class: `run-title ${isFailing ? 'fails' : 'passes'}` },
      element('span', { class: 'verdict' }, isFailing ? '✗ fails' : '✓ passes'),
      element('strong', {}, label),
      element('span', { class: 'outcome', title: outcome }, outcome),
    );
    this.head = element('div', { class: 'lane-heads', 'aria-hidden': 'true' });
    this.under = svg('svg', { class: 'arrows', 'aria-hidden': 'true' });
    this.spacer = element('div', { class: 'spacer' });
    this.scroller = element(
      'div',
      {
        class: 'scroller',
        role: 'listbox',
        tabindex: '0',
        'aria-label': `events of ${label}`,
      },
      this.spacer,
    );
    this.map = /** @type {HTMLCanvasElement} */ (element('canvas', { class: 'map' }));
    this.map.title = 'the whole run; click to go there';
    this.root = element(
      'section',
      { class: 'lanes', 'aria-label': label },
      this.title,
      this.head,
      element('div', { class: 'body' }, this.under, this.scroller, this.map),
    );
    this.scroller.addEventListener('scroll', () => this.paint());
    this.map.addEventListener('click', (event) => {
      const at = event.offsetY / this.map.clientHeight;
      this.onPick(this.rows[Math.min(this.rows.length - 1, Math.floor(at * this.rows.length))]);
    });
    new ResizeObserver(() => this.paint()).observe(this.scroller);
  }

  /** Rows that are shown, by place. */
  get rows() {
    return this.run.shown[this.detail];
  }

  /** Distance of lane lines. A row has one text, which may run over the lanes to its right. */
  get laneWidth() {
    const room = this.scroller.clientWidth - GUTTER;
    const others = Math.max(1, this.run.data.lanes.length - 1);
    return Math.max(54, Math.min(320, (room * 0.55) / others));
  }

  /** @param {Detail} detail */
  setDetail(detail) {
    this.detail = detail;
    this.clear();
    this.reveal();
  }

  /** @param {number} row */
  setCursor(row) {
    this.cursor = row;
    this.reveal();
  }

  /** Scrolls so that the cursor is in sight, and paints. */
  reveal() {
    this.spacer.style.height = `${this.rows.length * ROW_HEIGHT}px`;
    const top = this.run.placeOf(this.detail, this.cursor) * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.scroller;
    const margin = Math.min(4 * ROW_HEIGHT, clientHeight / 4);
    if (top < scrollTop + margin) this.scroller.scrollTop = top - margin;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight - margin)
      this.scroller.scrollTop = top + ROW_HEIGHT + margin - clientHeight;
    this.paint();
  }

  clear() {
    for (const one of this.elements.values()) one.remove();
    this.elements.clear();
  }

  /** Draws what is in sight. */
  paint() {
    const { scrollTop, clientHeight } = this.scroller;
    const from = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - OVERSCAN);
    const end = Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + OVERSCAN;
    const to = Math.min(this.rows.length, end);
    this.paintHeads();
    for (const [place, one] of this.elements) {
      if (place >= from && place < to) continue;
      one.remove();
      this.elements.delete(place);
    }
    const current = this.run.placeOf(this.detail, this.cursor);
    for (let place = from; place < to; place += 1) {
      let one = this.elements.get(place);
      if (one === undefined) {
        one = this.makeRow(place);
        this.elements.set(place, one);
        this.spacer.append(one);
      }
      const row = this.rows[place];
      one.classList.toggle('current', place === current);
      one.classList.toggle('same-event', this.run.eventOf(row) === this.run.eventOf(this.cursor));
      one.classList.toggle('found', this.found.has(row));
      one.setAttribute('aria-selected', String(place === current));
    }
    this.scroller.setAttribute('aria-activedescendant', this.idOf(current));
    this.paintArrows(from, to);
    this.paintMap();
  }

  /** @param {number} place */
  idOf(place) {
    return `row-${this.run.data.digest}-${place}`;
  }

  paintHeads() {
    const width = this.laneWidth;
    const { lanes } = this.run.data;
    if (this.head.childElementCount !== lanes.length) {
      this.head.replaceChildren(
        ...lanes.map(({ name, title, kind }, lane) =>
          element(
            'div',
            { class: `lane-head lane-${lane % 6} ${kind}` },
            element('b', {}, name),
            element('span', {}, title),
          ),
        ),
      );
    }
    this.head.style.paddingLeft = `${GUTTER}px`;
    for (const one of this.head.children) one.setAttribute('style', `width: ${width}px`);
  }

  /** @param {number} place */
  makeRow(place) {
    const { run } = this;
    const row = this.rows[place];
    const { rows, kinds, events } = run.data;
    const kind = kinds[rows.kind[row]];
    const lane = rows.lane[row];
    const event = rows.event[row];
    const marks = [...(run.marks.get(row) ?? [])];
    const signs = marks.map((mark) => MARK_SIGNS[mark.kind]);
    if (event >= 0 && event === this.parting && run.rowsOf(event).from === row)
      signs.unshift(MARK_SIGNS.parting);
    const isFirst = place === 0 || rows.step[this.rows[place - 1]] !== rows.step[row];
    const text = run.textOf(row);
    const notes = marks.map((mark) => mark.text).join('; ');
    const cell = element(
      'span',
      { class: `cell lane-${lane % 6} salience-${kind.salience}` },
      element('span', { class: 'sign', 'aria-hidden': 'true' }, kind.sign || '·'),
      element('span', { class: 'text' }, text),
    );
    cell.style.left = `${GUTTER + lane * this.laneWidth}px`;
    const made = element(
      'div',
      {
        class: ['row', ...marks.map((mark) => `mark-${mark.kind}`)].join(' '),
        role: 'option',
        id: this.idOf(place),
        title: `${run.whoOf(row)}: ${text}${notes === '' ? '' : `\n${notes}`}`,
      },
      element('span', { class: 'step' }, isFirst ? String(rows.step[row]) : ''),
      element('span', { class: 'time' }, isFirst && event >= 0 ? `${events.clock[event]} ns` : ''),
      element('span', { class: 'signs' }, [...new Set(signs)].join('')),
      cell,
    );
    if (notes !== '') made.setAttribute('aria-label', `${run.whoOf(row)}: ${text} (${notes})`);
    made.style.top = `${place * ROW_HEIGHT}px`;
    made.addEventListener('mousedown', () => this.onPick(row));
    return made;
  }

  /** The place of an event among the shown rows. @param {number} event */
  placeOfEvent(event) {
    const { from, to } = this.run.rowsOf(event);
    const place = this.run.placeOf(this.detail, to - 1);
    // when none of its rows is shown, where it would be
    return this.rows[place] >= from ? place : place + 0.5;
  }

  /** @param {number} event */
  pointOf(event) {
    const lane = this.run.data.events.lane[event];
    return {
      x: GUTTER + lane * this.laneWidth + LINE,
      y: (this.placeOfEvent(event) + 0.5) * ROW_HEIGHT - this.scroller.scrollTop,
    };
  }

  /** @param {number} from @param {number} to places in sight */
  paintArrows(from, to) {
    const { clientWidth: width, clientHeight: height } = this.scroller;
    this.under.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.under.setAttribute('width', String(width));
    this.under.setAttribute('height', String(height));
    /** @type {SVGElement[]} */
    const parts = this.run.data.lanes.map((_, lane) => {
      const x = GUTTER + lane * this.laneWidth + LINE;
      return svg('line', { x1: x, x2: x, y1: 0, y2: height, class: `lane-line lane-${lane % 6}` });
    });
    const own = this.run.eventOf(this.cursor);
    for (const { before, after } of this.run.data.orders)
      if (before >= 0 && after > before) parts.push(this.arrow(before, after, 'order'));
    if (this.showsAllArrows) {
      const { arrows } = this.run.data;
      const first = this.run.eventOf(this.rows[from] ?? 0);
      const last = this.run.eventOf(this.rows[to - 1] ?? 0);
      for (let at = 0; at < arrows.length; at += 2) {
        if (arrows[at + 1] < first) continue;
        if (arrows[at] > last || arrows[at + 1] > last) continue;
        parts.push(this.arrow(arrows[at], arrows[at + 1], 'any'));
      }
    }
    for (const cause of this.run.causes.get(own) ?? []) parts.push(this.arrow(cause, own, 'cause'));
    for (const effect of this.run.effects.get(own) ?? [])
      parts.push(this.arrow(own, effect, 'effect'));
    this.under.replaceChildren(...parts);
  }

  /** @param {number} from @param {number} to @param {string} kind */
  arrow(from, to, kind) {
    const a = this.pointOf(from);
    const b = this.pointOf(to);
    const bend = Math.max(12, Math.min(80, Math.abs(b.y - a.y) / 2));
    const d = `M ${a.x} ${a.y} C ${a.x} ${a.y + bend}, ${b.x} ${b.y - bend}, ${b.x} ${b.y - 7}`;
    const group = svg('g', { class: `arrow ${kind}` });
    group.append(
      svg('path', { d, fill: 'none' }),
      svg('path', { d: `M ${b.x - 4} ${b.y - 13} L ${b.x} ${b.y - 6} L ${b.x + 4} ${b.y - 13} Z` }),
    );
    return group;
  }

  paintMap() {
    const { map } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = 16;
    const height = map.clientHeight;
    map.width = width * ratio;
    map.height = height * ratio;
    const context = map.getContext('2d');
    if (context === null || this.rows.length === 0) return;
    context.scale(ratio, ratio);
    const styles = getComputedStyle(this.root);
    /** @param {string} name */
    const color = (name) => styles.getPropertyValue(name).trim();
    const scale = height / (this.rows.length * ROW_HEIGHT);
    const { scrollTop, clientHeight } = this.scroller;
    context.fillStyle = color('--map-window');
    context.fillRect(0, scrollTop * scale, width, Math.max(3, clientHeight * scale));
    /** @param {number} row @param {string} name @param {number} thick */
    const tick = (row, name, thick) => {
      const y = (this.run.placeOf(this.detail, row) + 0.5) * ROW_HEIGHT * scale;
      context.fillStyle = color(name);
      context.fillRect(2, y - thick / 2, width - 4, thick);
    };
    for (const row of this.found) tick(row, '--found', 1.5);
    for (const [row, marks] of this.run.marks)
      tick(row, marks.some((mark) => mark.kind === 'violation') ? '--bad' : '--accent', 2.5);
    tick(this.cursor, '--ink', 2);
  }
}
