/**
 * Names of events: `vcpu0.w1/stage2-map.breakLeaf#2` is the second time that operation w1 of vcpu0
 * came to that site, `host.u1/flush.invalidateStage2@pe1` the arrival of an invalidation at PE 1,
 * `vcpu0.w1/stage2-map.breakLeaf@effect` the store of that step becoming visible (F2),
 * `vcpu0.w1/end` the end of the operation. Names survive changes of the code that step counts do not.
 */
import { assert } from '../sim/assert.ts';
import type { Machine } from '../sim/machine.ts';
import type { Pending } from '../sim/scheduler.ts';
import type { SiteDirectory } from '../sim/site.ts';
import { EFFECT } from '../sim/stores.ts';

export interface EventName {
  readonly actor: string;
  readonly key: string;
  /** `group.name`, or `end`. */
  readonly site: string;
  /** PE at which an invalidation arrives, or EFFECT. */
  readonly pe: number | undefined;
  /** From 1. */
  readonly occurrence: number;
}

export const END = 'end';

const FORM =
  /^([a-z][a-z0-9]*)\.([a-z][a-z0-9]*)\/([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)?)(?:@(?:pe(\d+)|(effect)))?(?:#([1-9]\d*))?$/;

/** Undefined when the text is no event name. */
export function parseName(text: string): EventName | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, actor, key, site, pe, effect, occurrence] = match;
  if (actor === undefined || key === undefined || site === undefined) return undefined;
  return {
    actor,
    key,
    site,
    pe: effect !== undefined ? EFFECT : pe === undefined ? undefined : Number(pe),
    occurrence: occurrence === undefined ? 1 : Number(occurrence),
  };
}

export function formatName({ actor, key, site, pe, occurrence }: EventName): string {
  const place = pe === undefined ? '' : pe === EFFECT ? '@effect' : `@pe${pe}`;
  return `${actor}.${key}/${site}${place}${occurrence === 1 ? '' : `#${occurrence}`}`;
}

/** An event name resolved against a loaded program: numbers for the hot path. */
export interface EventKey {
  readonly operation: number;
  /** 0 for the end of the operation. */
  readonly site: number;
  readonly pe: number;
  readonly occurrence: number;
}

/** Undefined when the program has no such operation or the system no such site. */
export function resolveName(
  machine: Machine,
  directory: SiteDirectory,
  name: EventName,
): EventKey | undefined {
  const operation = machine.course.keyOf.findIndex(
    (key, index) =>
      key === name.key && machine.actors[machine.course.actorOf[index]!]!.name === name.actor,
  );
  if (operation < 0) return undefined;
  const site = name.site === END ? 0 : directory.find(name.site);
  if (site === undefined) return undefined;
  return { operation, site, pe: name.pe ?? -1, occurrence: name.occurrence };
}

export function nameOf(
  machine: Machine,
  directory: SiteDirectory,
  { operation, site, pe }: Pending,
  occurrence: number,
): EventName {
  return {
    actor: machine.actors[machine.course.actorOf[operation]!]!.name,
    key: machine.course.keyOf[operation]!,
    site: site === 0 ? END : directory.name(site),
    pe: pe === -1 ? undefined : pe,
    occurrence,
  };
}

const OPERATIONS_MAX = (1 << 14) - 1;
const PES_MAX = (1 << 6) - 2;

/** Counts how often each (operation, site, PE) has happened. */
export class OccurrenceCounter {
  readonly #counts = new Map<number, number>();

  reset(): void {
    this.#counts.clear();
  }

  /** The number of the event that happens now, from 1. */
  next(event: Pending): number {
    const key = keyOf(event);
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count;
  }

  /** The number that the event would have if it happened next. */
  peek(event: Pending): number {
    return (this.#counts.get(keyOf(event)) ?? 0) + 1;
  }
}

/** One number: 32 bits of site, 14 of operation (from -1), 6 of PE (from EFFECT). */
function keyOf({ operation, site, pe }: Pending): number {
  assert(operation < OPERATIONS_MAX && pe < PES_MAX, 'an event has a key of its own');
  return ((site >>> 0) * (OPERATIONS_MAX + 1) + operation + 1) * (PES_MAX + 2) + pe - EFFECT;
}
