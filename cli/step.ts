/** `replay --step`: walks through a run in the terminal, with the state of the machine beside it. */
import type { Readable, Writable } from 'node:stream';
import type { View } from '../fuzz/view/view.ts';
import { DETAILS, Run } from './page/viewer/run.js';
import { State } from './page/viewer/state.js';

type Detail = (typeof DETAILS)[number];

const FOOTER =
  '↑↓ step  ←→ same actor  w/W word  m/M mark  v violation  1 2 3 detail  x other run  q quit';
const LANE_WIDTH_MIN = 10;
const PAGE_ROWS = 15;
const ESCAPE = '\u001b';
const INVERSE = '\u001b[7m';
const BOLD = '\u001b[1m';
const PLAIN = '\u001b[0m';

/** A style or a character; a key or a character. */
const STYLED = new RegExp(`${ESCAPE}\\[\\d*m|[\\s\\S]`, 'gu');
const KEY = new RegExp(`${ESCAPE}\\[\\d*[A-Z~]|[\\s\\S]`, 'gu');

/** What the keys of a terminal send. */
const KEYS: Readonly<Record<string, string>> = {
  '\u001b[A': 'up',
  '\u001b[B': 'down',
  '\u001b[C': 'right',
  '\u001b[D': 'left',
  '\u001b[5~': 'page-up',
  '\u001b[6~': 'page-down',
  '\u001b[H': 'home',
  '\u001b[F': 'end',
  '\u0003': 'q',
  '\u001b': 'q',
};

interface Pane {
  readonly run: Run;
  readonly state: State;
  cursor: number;
}

/** Where one is in a run, and what is to be seen there. Knows no terminal. */
export class Stepper {
  readonly #view: View;
  readonly #panes: readonly Pane[];
  #active = 0;
  #detail: Detail = 'story';

  constructor(view: View) {
    this.#view = view;
    this.#panes = view.runs.map((data) => {
      const run = new Run(data);
      return { run, state: new State(run), cursor: Math.max(0, data.violation) };
    });
  }

  get #pane(): Pane {
    return this.#panes[this.#active]!;
  }

  /** Row of the trace that is looked at. */
  get cursor(): number {
    return this.#pane.cursor;
  }

  get detail(): Detail {
    return this.#detail;
  }

  /** @returns false when it is over */
  press(key: string): boolean {
    const { run } = this.#pane;
    const { cursor } = this;
    if (key === 'q') return false;
    if (key === 'down' || key === 'j') this.#step(1);
    else if (key === 'up' || key === 'k') this.#step(-1);
    else if (key === 'page-down') this.#step(PAGE_ROWS);
    else if (key === 'page-up') this.#step(-PAGE_ROWS);
    else if (key === 'home' || key === 'g') this.#step(-run.rowCount);
    else if (key === 'end' || key === 'G') this.#step(run.rowCount);
    else if (key === 'right' || key === 'l') this.#go(run.nextInLane(this.#detail, cursor, 1));
    else if (key === 'left' || key === 'h') this.#go(run.nextInLane(this.#detail, cursor, -1));
    else if (key === 'w') this.#goWord(1);
    else if (key === 'W') this.#goWord(-1);
    else if (key === 'm') this.#goMark(1);
    else if (key === 'M') this.#goMark(-1);
    else if (key === 'v' && run.data.violation >= 0) this.#go(run.data.violation);
    else if (key === 'x') this.#active = (this.#active + 1) % this.#panes.length;
    else if (/^[123]$/.test(key)) this.#detail = DETAILS[Number(key) - 1]!;
    return true;
  }

  #go(row: number): void {
    this.#pane.cursor = row;
  }

  #step(by: number): void {
    const { run } = this.#pane;
    const rows = run.shown[this.#detail];
    const place = run.placeOf(this.#detail, this.cursor) + by;
    this.#go(rows[Math.max(0, Math.min(rows.length - 1, place))]!);
  }

  #goWord(step: 1 | -1): void {
    const { run } = this.#pane;
    const next = run.nextOfWord(this.cursor, step);
    const { [this.#detail]: rows } = run.shown;
    if (rows[run.placeOf(this.#detail, next)] !== next) this.#detail = 'everything';
    this.#go(next);
  }

  #goMark(step: 1 | -1): void {
    const rows = [...this.#pane.run.marks.keys()].sort((a, b) => step * (a - b));
    const next = rows.find((row) => step * (row - this.cursor) > 0);
    if (next !== undefined) this.#go(next);
  }

  /** The lines of a screen. @param isPlain without bold and inverse */
  render(width: number, height: number, isPlain = false): readonly string[] {
    const { run } = this.#pane;
    const { data } = run;
    const event = run.eventOf(this.cursor);
    const step = data.rows.step[this.cursor];
    const head = [
      `${this.#view.title}`,
      `${data.label} (${data.outcome === '' ? 'no outcome' : data.outcome}), step ${step} of ${data.steps}, ` +
        `${run.nameOf(event) || run.whoOf(this.cursor)}  [${this.#detail}]`,
    ];
    const room = height - head.length - 3;
    const below = this.#stateLines();
    const above = Math.max(6, room - Math.min(below.length, Math.floor(room * 0.6)));
    const lines = [
      ...head,
      '',
      ...this.#rowLines(above, isPlain),
      '',
      ...below.slice(0, room - above),
      FOOTER,
    ];
    return lines.map((line) => clip(line, width));
  }

  #rowLines(count: number, isPlain: boolean): readonly string[] {
    const { run } = this.#pane;
    const rows = run.shown[this.#detail];
    const place = run.placeOf(this.#detail, this.cursor);
    const first = Math.max(0, Math.min(place - Math.floor(count / 2), rows.length - count));
    const lines: string[] = [];
    for (let at = first; at < Math.min(rows.length, first + count); at += 1) {
      const row = rows[at]!;
      const marks = run.marks.get(row) ?? [];
      const sign = marks.length > 0 ? '*' : ' ';
      const lane = ' '.repeat(run.data.rows.lane[row]! * LANE_WIDTH_MIN);
      const who = run.whoOf(row).padEnd(LANE_WIDTH_MIN);
      const text = `${at === place ? '>' : ' '}${String(run.data.rows.step[row]).padStart(5)} ${sign} ${lane}${who} ${run.textOf(row)}`;
      const notes = at === place && marks.length > 0 ? `  (${marks[0]!.text})` : '';
      const style = at === place ? INVERSE : marks.length > 0 ? BOLD : '';
      lines.push(isPlain || style === '' ? `${text}${notes}` : `${style}${text}${notes}${PLAIN}`);
    }
    return lines;
  }

  /** What the machine holds after the event, what has just changed first. */
  #stateLines(): readonly string[] {
    const { run, state } = this.#pane;
    const { keys, rows } = run.data;
    const event = run.eventOf(this.cursor);
    const { from, to } = event < 0 ? { from: this.cursor, to: this.cursor + 1 } : run.rowsOf(event);
    state.goTo(to);
    const changed = state.changedIn(from, to);
    const said: string[] = [];
    for (let row = from; row < to && row < rows.event.length; row += 1)
      if (row !== this.cursor) said.push(`  also: ${run.textOf(row)}`);
    const changes = [...changed].map(
      ([key, old]) =>
        `  changed ${keys[key]!.label}: ${state.textOf(old) || '-'} -> ${state.textOf(state.values[key]!) || 'gone'}`,
    );
    const held = keys.flatMap(({ group, label }, key) => {
      const value = state.values[key]!;
      if (value < 0 || changed.has(key) || group === 'variable') return [];
      return [`  ${group.padEnd(12)} ${label}: ${state.textOf(value)}`];
    });
    return [...said, ...changes, ...held];
  }
}

/** Cuts a line to a width; codes that style it take no room. */
function clip(line: string, width: number): string {
  let room = width;
  return line.replace(STYLED, (part) => {
    if (part.length > 1 && part.startsWith(ESCAPE)) return part;
    room -= 1;
    return room >= 0 ? part : '';
  });
}

export interface Terminal {
  readonly input: Readable & { setRawMode?(on: boolean): unknown };
  readonly output: Writable & { columns?: number; rows?: number };
}

/** Shows a run and follows the keys until `q`, or until the input ends. */
export async function stepThrough(view: View, { input, output }: Terminal): Promise<void> {
  const stepper = new Stepper(view);
  const paint = (): void => {
    const lines = stepper.render(output.columns ?? 120, output.rows ?? 40);
    output.write(`\u001b[H\u001b[J${lines.join('\r\n')}`);
  };
  input.setRawMode?.(true);
  input.setEncoding('utf8');
  output.write('\u001b[?1049h\u001b[?25l');
  try {
    paint();
    for await (const chunk of input) {
      if (!keysIn(String(chunk)).every((key) => stepper.press(key))) break;
      paint();
    }
  } finally {
    output.write('\u001b[?25h\u001b[?1049l');
    input.setRawMode?.(false);
  }
}

/** Keys of what a terminal sent, which may be several at once. */
export function keysIn(text: string): readonly string[] {
  const parts = text.match(KEY) ?? [];
  return parts.map((part) => KEYS[part] ?? part);
}
