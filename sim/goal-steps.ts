/** Steps of goals, as systems write them: who does what where, and optionally on what. */
import { Event, type EventCode } from './event.ts';

/** An event of a goal. */
export interface GoalStep {
  /** Equal names are one actor, different ones are different actors. */
  readonly who: string;
  /** `group.name`; of several, any. */
  readonly site: string | readonly string[];
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
