/** One run: its columns, with the indexes that moving about in it needs. */

/** @typedef {import('../../../fuzz/view/view.ts').View} View */
/** @typedef {import('../../../fuzz/view/view.ts').ViewRun} ViewRun */
/** @typedef {import('../../../fuzz/view/view.ts').Mark} Mark */

/** Which rows are shown: the story, one row per event, or all. */
export const DETAILS = /** @type {const} */ (['story', 'events', 'everything']);
/** @typedef {(typeof DETAILS)[number]} Detail */

/** Rows of the story are at most this far from what matters. */
const STORY_SALIENCE = 2;

export class Run {
  /** @param {ViewRun} data */
  constructor(data) {
    this.data = data;
    this.rowCount = data.rows.event.length;
    this.eventCount = data.events.row.length;
    /** @type {Map<number, Mark[]>} */
    this.marks = new Map();
    for (const mark of data.marks) {
      const known = this.marks.get(mark.row);
      if (known === undefined) this.marks.set(mark.row, [mark]);
      else known.push(mark);
    }
    /** @type {Record<Detail, Int32Array>} */
    this.shown = {
      story: this.filter((row) => this.isStory(row)),
      events: this.mainRows(),
      everything: this.filter(() => true),
    };
    this.causes = this.arrowsBy(1);
    this.effects = this.arrowsBy(0);
    /** @type {Map<number, number>} event by name, as an index of texts */
    this.eventByName = new Map(data.events.name.map((name, event) => [name, event]));
  }

  /** @param {(row: number) => boolean} isShown */
  filter(isShown) {
    const rows = [];
    for (let row = 0; row < this.rowCount; row += 1) if (isShown(row)) rows.push(row);
    return Int32Array.from(rows);
  }

  /** @param {number} row */
  isStory(row) {
    if (this.marks.has(row)) return true;
    const { operation, kind } = this.data.rows;
    if (this.data.kinds[kind[row]].salience > STORY_SALIENCE) return false;
    return operation[row] < 0 || !this.data.operations[operation[row]].isImplicit;
  }

  /** The row of each event that says most about it. */
  mainRows() {
    const { kinds } = this.data;
    const { kind, event } = this.data.rows;
    const rows = [];
    for (let from = 0; from < this.rowCount; ) {
      let best = from;
      let to = from + 1;
      while (to < this.rowCount && event[to] === event[from]) {
        const isBetter = kinds[kind[to]].salience < kinds[kind[best]].salience;
        if (this.marks.has(to) || (isBetter && !this.marks.has(best))) best = to;
        to += 1;
      }
      rows.push(best);
      from = to;
    }
    return Int32Array.from(rows);
  }

  /**
   * The events at the other ends of arrows, by event.
   * @param {0 | 1} end which end of an arrow the event is
   */
  arrowsBy(end) {
    const { arrows } = this.data;
    /** @type {Map<number, number[]>} */
    const found = new Map();
    for (let at = 0; at < arrows.length; at += 2) {
      const own = arrows[at + end];
      const other = arrows[at + 1 - end];
      const known = found.get(own);
      if (known === undefined) found.set(own, [other]);
      else known.push(other);
    }
    return found;
  }

  /** Rows [from, to) of an event. @param {number} event */
  rowsOf(event) {
    const { row } = this.data.events;
    return { from: row[event], to: row[event + 1] ?? this.rowCount };
  }

  /** @param {number} row */
  eventOf(row) {
    return this.data.rows.event[row];
  }

  /** Name of an event as cases write it. @param {number} event */
  nameOf(event) {
    const name = event < 0 ? -1 : this.data.events.name[event];
    return name < 0 ? '' : this.data.texts[name];
  }

  /** @param {number} row */
  textOf(row) {
    return this.data.texts[this.data.rows.text[row]];
  }

  /** Who made a row: `host.u1`, or boot. @param {number} row */
  whoOf(row) {
    return this.data.operations[this.data.rows.operation[row]]?.name ?? 'boot';
  }

  /** The last of the shown rows that is not after a row. @param {Detail} detail @param {number} row */
  placeOf(detail, row) {
    const rows = this.shown[detail];
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * The next shown row of the same lane, or the same row.
   * @param {Detail} detail
   * @param {number} row
   * @param {1 | -1} step
   */
  nextInLane(detail, row, step) {
    const rows = this.shown[detail];
    const { lane } = this.data.rows;
    for (let at = this.placeOf(detail, row) + step; at >= 0 && at < rows.length; at += step)
      if (lane[rows[at]] === lane[row]) return rows[at];
    return row;
  }

  /**
   * The next access of the word that a row or its event touches, or the same row.
   * @param {number} row
   * @param {1 | -1} step
   */
  nextOfWord(row, step) {
    const { word, event } = this.data.rows;
    const own = this.wordAt(row);
    if (own < 0) return row;
    for (let at = row + step; at >= 0 && at < this.rowCount; at += step)
      if (word[at] === own && event[at] !== event[row]) return at;
    return row;
  }

  /** The word that a row or its event touches, or -1. @param {number} row */
  wordAt(row) {
    const { word } = this.data.rows;
    if (word[row] >= 0) return word[row];
    const { from, to } = this.rowsOf(Math.max(0, this.eventOf(row)));
    for (let at = from; at < to; at += 1) if (word[at] >= 0) return word[at];
    return -1;
  }

  /** Rows whose text, event, site or operation has some words in it. @param {string} text */
  search(text) {
    const wanted = text.trim().toLowerCase();
    if (wanted === '') return new Int32Array(0);
    /** @param {string} one */
    const has = (one) => one.toLowerCase().includes(wanted);
    const { texts, sites, operations, rows } = this.data;
    const inText = texts.map(has);
    const inSite = sites.map(has);
    const inOperation = operations.map((one) => has(one.name));
    return this.filter(
      (row) =>
        inText[rows.text[row]] ||
        inSite[rows.site[row]] ||
        (rows.operation[row] >= 0 && inOperation[rows.operation[row]]),
    );
  }
}

/**
 * The first event in which two runs differ, or -1.
 * @param {Run} one
 * @param {Run} other
 */
export function partingOf(one, other) {
  const count = Math.min(one.eventCount, other.eventCount);
  for (let event = 0; event < count; event += 1)
    if (one.nameOf(event) !== other.nameOf(event)) return event;
  return -1;
}
