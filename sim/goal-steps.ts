/** Steps of goals, as systems write them: who does what where, and optionally on what. */
import { Event, type EventCode } from './event.ts';

/** An operation of the program that a step is part of. */
export interface GoalOperation {
  readonly id: string;
  /** Its arguments, where they matter. */
  readonly args?: readonly (number | undefined)[];
}

/** Nobody in particular: any actor, or the machine while it is put together. */
export const ANYBODY = '';
/** Claims are made wherever their maker happens to be. */
export const ANYWHERE: readonly string[] = [];

/** An event of a goal. */
export interface GoalStep {
  /** Equal names are one actor, different ones are different actors. */
  readonly who: string;
  /** `group.name`; of several, any. `ANYWHERE` is for claims only. */
  readonly site: string | readonly string[];
  /** Steps of one actor that name one operation alike are of one instance of it. */
  readonly operation?: GoalOperation;
  /** A claim that still stands at the next step: nobody has claimed anything else of that kind about what it says first. */
  readonly stands?: true;
  readonly event: EventCode;
  /** Name of what the event's first field says (a word, a lock, a page); as with `who`. */
  readonly on?: string;
  /** Fields of the event, where they matter: a claim and what it says, the class of a fault. */
  readonly a?: number;
  readonly b?: number;
  readonly c?: number;
  readonly d?: number;
}

export type GoalSite = GoalStep['site'];

/** A step of any kind of event. */
export function step(
  who: string,
  site: GoalSite,
  event: EventCode,
  rest: Omit<GoalStep, 'who' | 'site' | 'event'> = {},
): GoalStep {
  return { who, site, event, ...rest };
}

type Maker = (who: string, site: GoalSite, on?: string) => GoalStep;

const maker =
  (event: EventCode): Maker =>
  (who, site, on) =>
    step(who, site, event, on === undefined ? {} : { on });

/** Reads a word. */
export const reads = maker(Event.Read);
/** Changes a word: a store, an exchange, a compare-exchange that succeeds. */
export const changes = maker(Event.StoreVisible);
/** Finds another value than its compare-exchange expected. */
export const loses = maker(Event.CompareFailed);
/** A hardware walker reads an entry. */
export const walks = maker(Event.WalkRead);
/** Takes a lock. */
export const locks = maker(Event.LockTake);
/** Drops a lock. */
export const unlocks = maker(Event.LockDrop);
/** The guest's access is made with what the walk found. */
export const uses = (who: string): GoalStep => step(who, 'walk.use', Event.Use);
