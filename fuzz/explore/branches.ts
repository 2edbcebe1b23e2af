/**
 * The branches that a run finds: other sources at one of its events, other answers to one of its questions. They
 * wait here until the run is over, because what comes later in it may tell more about them; then the frontier has
 * them. No branch is found twice in a search.
 */
import type { Fill } from './fills.ts';
import { type Frontier, ROOT } from './frontier.ts';

/** Numbers per branch: parent, event, question (-1: pick), value, switches, expanded. */
const FIELDS = 6;
/** Whether the alternatives to a branch's event are noted; not known while the event is being performed. */
const Expanded = { No: 0, Yes: 1, Pending: -1 } as const;
/** Questions that a run may ask; more would need other keys. */
const QUESTIONS_MAX = 0x10000;

export class Branches {
  /** A branch was left out, because it has more switches or changed answers than the search may make. */
  isCut = false;
  readonly #frontier: Frontier;
  readonly #switchesMax: number;
  readonly #answersMax: number;
  readonly #found: number[] = [];
  /** Questions (by schedule and number) whose answer "not cached" was found to matter. */
  readonly #noticed = new Set<number>();
  /** Events (by schedule and number) whose alternatives were noted for another answer than the first. */
  readonly #expandedLate = new Set<number>();
  /** The schedule that runs, and those that it descends from. */
  #item = ROOT;
  #line: readonly number[] = [ROOT];

  constructor(frontier: Frontier, switchesMax: number, answersMax: number) {
    this.#frontier = frontier;
    this.#switchesMax = switchesMax;
    this.#answersMax = answersMax;
  }

  /** The search begins anew. */
  clear(): void {
    this.isCut = false;
    this.#noticed.clear();
    this.#expandedLate.clear();
  }

  /** A run of a schedule begins. */
  begin(item: number, line: readonly number[]): void {
    this.#item = item;
    this.#line = line;
    this.#found.length = 0;
  }

  /** The schedule that alternatives to an event of this run are branches of; -1 when they are known. */
  parentOf(event: number): number {
    const frontier = this.#frontier;
    const item = this.#item;
    if (item === ROOT || event > frontier.event(item)) return item;
    // the alternatives are an ancestor's, and it knows them, unless its answers made the event invisible
    const isChanged = frontier.question(item) >= 0 && event === frontier.event(item);
    if (!isChanged || frontier.isExpanded(item)) return -1;
    const parent = frontier.ownerOfEvent(this.#line, event);
    return isNew(this.#expandedLate, parent, event) ? parent : -1;
  }

  /** Another source may make the event; the run has so many switches then. */
  pick(parent: number, event: number, source: number, switches: number): void {
    if (switches > this.#switchesMax) this.isCut = true;
    else this.#found.push(parent, event, -1, source, switches, Expanded.No);
  }

  /**
   * A question of the event that is being performed may be answered otherwise.
   * @param changed answers that the run has changed before it
   */
  answers(
    event: number,
    question: number,
    alternatives: number,
    switches: number,
    changed: number,
  ): void {
    if (changed >= this.#answersMax) this.isCut = true;
    else
      for (let answer = 1; answer < alternatives; answer += 1)
        this.#found.push(this.#item, event, question, answer, switches, Expanded.Pending);
  }

  /** Something looked at what a question had cached: now "not cached" matters. */
  notice({ question, event, switches, changed, isExpanded }: Fill): void {
    const owner = this.#frontier.ownerOf(this.#line, question, event);
    if (!isNew(this.#noticed, owner, question)) return;
    if (changed >= this.#answersMax) this.isCut = true;
    else
      this.#found.push(
        owner,
        event,
        question,
        1,
        switches,
        isExpanded ? Expanded.Yes : Expanded.No,
      );
  }

  /** The event is over: tells the branches of its questions whether its alternatives are noted. */
  markExpanded(isExpanded: boolean): void {
    const found = this.#found;
    for (let i = found.length - 1; i > 0 && found[i] === Expanded.Pending; i -= FIELDS)
      found[i] = isExpanded ? Expanded.Yes : Expanded.No;
  }

  /** The run is over. */
  flush(): void {
    const found = this.#found;
    for (let i = 0; i < found.length; i += FIELDS) {
      this.#frontier.push({
        parent: found[i]!,
        event: found[i + 1]!,
        question: found[i + 2]!,
        value: found[i + 3]!,
        switches: found[i + 4]!,
        isExpanded: found[i + 5] === Expanded.Yes,
      });
    }
  }
}

/** Notes a schedule with an event or question of it; false when it was noted before. */
function isNew(known: Set<number>, schedule: number, number: number): boolean {
  const key = schedule * QUESTIONS_MAX + number;
  if (known.has(key)) return false;
  known.add(key);
  return true;
}
