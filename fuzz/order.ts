/** Ordering constraints over named events: the stored form of a schedule. */
import { END, type EventName, formatName, parseName } from './names.ts';

export interface Constraint {
  readonly before: EventName;
  readonly after: EventName;
}

export function formatConstraint({ before, after }: Constraint): string {
  return `${formatName(before)} < ${formatName(after)}`;
}

/** A sentence that says what is wrong, or the constraint. */
export function parseConstraint(text: string): Constraint | string {
  const parts = text.split('<').map((part) => part.trim());
  if (parts.length !== 2) return `an order has the form "event < event"`;
  const [left = '', right = ''] = parts;
  const before = parseName(left);
  if (before === undefined)
    return `"${left}" is no event name (actor.key/group.site, @peN or @effect, #N)`;
  const after = parseName(right);
  if (after === undefined)
    return `"${right}" is no event name (actor.key/group.site, @peN or @effect, #N)`;
  if (after.site === END)
    return `"${right}" cannot wait: the end of an operation is no event of its own`;
  return { before, after };
}

/**
 * The events of a cycle among the constraints and the program order, or undefined. An operation's
 * events come before the events of later operations of its actor; occurrence n before n + 1.
 * @param position of an operation in its actor's list, or -1
 */
export function findCycle(
  constraints: readonly Constraint[],
  position: (name: EventName) => number,
): readonly string[] | undefined {
  const names = new Map<string, EventName>();
  for (const { before, after } of constraints) {
    names.set(formatName(before), before);
    names.set(formatName(after), after);
  }
  const edges = new Map<string, string[]>([...names.keys()].map((name) => [name, []]));
  for (const { before, after } of constraints)
    edges.get(formatName(before))!.push(formatName(after));
  for (const [from, one] of names) {
    for (const [to, other] of names) {
      if (from !== to && precedes(one, other, position)) edges.get(from)!.push(to);
    }
  }
  return cycleIn(edges);
}

function precedes(
  one: EventName,
  other: EventName,
  position: (name: EventName) => number,
): boolean {
  if (one.actor !== other.actor) return false;
  if (one.key !== other.key) {
    // arrivals of an invalidation may come after later operations of its issuer
    return one.pe === undefined && other.pe === undefined && position(one) < position(other);
  }
  if (one.pe !== undefined || other.pe !== undefined) return false;
  if (one.site !== END && other.site === END) return true;
  return one.site === other.site && one.occurrence < other.occurrence;
}

function cycleIn(edges: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const visit = (name: string): readonly string[] | undefined => {
    if (state.get(name) === 'done') return undefined;
    if (state.get(name) === 'open') return [...path.slice(path.indexOf(name)), name];
    state.set(name, 'open');
    path.push(name);
    for (const next of edges.get(name) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    state.set(name, 'done');
    return undefined;
  };
  for (const name of edges.keys()) {
    const cycle = visit(name);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
