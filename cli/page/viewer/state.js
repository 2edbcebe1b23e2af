/** The state of the machine at a row: changes are applied forwards, and taken back with what was there before. */

/** @typedef {import('./run.js').Run} Run */

export class State {
  /** @param {Run} run */
  constructor(run) {
    const { changes, keys, initial } = run.data;
    this.run = run;
    this.changes = changes;
    /** Value by key; -1 when it is not there. */
    this.values = new Int32Array(keys.length).fill(-1);
    for (const [key, value] of initial) this.values[key] = value;
    /** What each change replaced. */
    this.before = new Int32Array(changes.row.length);
    const last = this.values.slice();
    for (let at = 0; at < changes.row.length; at += 1) {
      this.before[at] = last[changes.key[at]];
      last[changes.key[at]] = changes.value[at];
    }
    /** Changes applied so far. */
    this.applied = 0;
    /** @type {Map<number, number[]>} keys of table entries, by frame */
    this.entriesOf = new Map();
    keys.forEach(({ group, place }, key) => {
      if (group !== 'entry') return;
      const known = this.entriesOf.get(place);
      if (known === undefined) this.entriesOf.set(place, [key]);
      else known.push(key);
    });
    for (const list of this.entriesOf.values()) list.sort((a, b) => keys[a].index - keys[b].index);
  }

  /** Goes to the state after all rows before `row`. @param {number} row */
  goTo(row) {
    const { changes, values } = this;
    while (this.applied < changes.row.length && changes.row[this.applied] < row) {
      values[changes.key[this.applied]] = changes.value[this.applied];
      this.applied += 1;
    }
    while (this.applied > 0 && changes.row[this.applied - 1] >= row) {
      this.applied -= 1;
      values[changes.key[this.applied]] = this.before[this.applied];
    }
  }

  /**
   * What changed in rows [from, to): old value by key. Keys that are as before are left out.
   * @param {number} from
   * @param {number} to the state is after these rows
   * @returns {Map<number, number>}
   */
  changedIn(from, to) {
    /** @type {Map<number, number>} */
    const old = new Map();
    for (let at = this.applied - 1; at >= 0 && this.changes.row[at] >= from; at -= 1)
      if (this.changes.row[at] < to) old.set(this.changes.key[at], this.before[at]);
    for (const [key, value] of old) if (this.values[key] === value) old.delete(key);
    return old;
  }

  /** @param {number} value */
  textOf(value) {
    return value < 0 ? '' : this.run.data.values[value].text;
  }
}
