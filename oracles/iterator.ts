/**
 * Claim: a walk over a range that comes to its end has worked on every entry of the range that nobody
 * changed meanwhile, on each once unless it gave up its lock, in order; it asks often enough whether to
 * give it up, and has come further between two times that it does.
 *
 * Why it matters: what a walk steps over stays mapped, or is never freed; a walk that does not come
 * further, or never asks, holds up everybody else.
 * Blind to: walks that make no claims; entries of the range that anybody changed while the walk ran, and
 * for that their whole block; walks given up early; walks inside a walk of the same actor.
 * Cost: constant per entry visited plus the pages it covers; the range per walk.
 * Source: spec/x86-xen.md A4, properties I1-I4; amendments E5, E6, E18.
 */
import { Claim } from '../sim/claims.ts';
import { Event, type EventCode } from '../sim/event.ts';
import { levelPages } from '../sim/geometry.ts';
import { placeIsHardware, placeTree } from '../sim/place.ts';
import type { Oracle, OracleSpec, Scene } from './oracle.ts';

/** Entries that a walk may visit between two questions whether to yield. */
export const VISITS_MAX = 4;

export const iterator: OracleSpec = {
  id: 'iterator',
  claim: 'a walk works on every entry of its range once, and comes further whenever it gives way',
  listens: [Event.Claim, Event.Descriptor],
  claims: [
    Claim.WalkBegan,
    Claim.WalkEnded,
    Claim.WalkTested,
    Claim.WalkVisited,
    Claim.WalkYielded,
  ],
  needs: Claim.WalkBegan,
  create: (scene) => new Iterator(scene),
};

/** The walk that an actor is on. */
class Walk {
  isOn = false;
  tree = 0;
  first = 0;
  end = 0;
  /** Where the last visit was; -1 when the next may be anywhere. */
  lastPage = -1;
  lastLevel = 0;
  /** Target of the last start or restart. */
  target = 0;
  hasAsked = false;
  visits = 0;
  /** By page: the walk has worked on its deepest entry, or somebody changed it. */
  readonly isDone: Uint8Array;

  constructor(pages: number) {
    this.isDone = new Uint8Array(pages);
  }
}

class Iterator implements Oracle {
  judgements = 0;
  readonly #scene: Scene;
  readonly #walks: readonly Walk[];
  #walking = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { tables, actors } = scene.machine;
    const pages = Math.max(...tables.trees.map((tree) => tree.geometry.windowPages));
    this.#walks = actors.map(() => new Walk(pages));
  }

  reset(): void {
    for (const walk of this.#walks) walk.isOn = false;
    this.#walking = 0;
  }

  onEvent(kind: EventCode, a: number, b: number, c: number, d: number): void {
    if (kind === Event.Descriptor) {
      if (this.#walking > 0 && !placeIsHardware(d)) this.#changed(placeTree(d));
      return;
    }
    const { actor } = this.#scene.machine;
    if (actor < 0) return;
    const walk = this.#walks[actor]!;
    switch (a) {
      case Claim.WalkBegan:
        this.#began(walk, b, c, d & 15);
        return;
      case Claim.WalkVisited:
        if (walk.isOn) this.#visited(walk, b, c !== 0, d);
        return;
      case Claim.WalkTested:
        walk.hasAsked = true;
        walk.visits = 0;
        return;
      case Claim.WalkYielded:
        if (walk.isOn) this.#yielded(walk, b, c === 0);
        return;
      case Claim.WalkEnded:
        if (walk.isOn) this.#ended(walk, b !== 0);
        return;
      default:
        return;
    }
  }

  #began(walk: Walk, first: number, end: number, tree: number): void {
    const { windowPages } = this.#scene.machine.tables.trees[tree]!.geometry;
    if (!walk.isOn) this.#walking += 1;
    walk.isOn = true;
    walk.tree = tree;
    walk.first = first;
    walk.end = Math.min(end, windowPages);
    walk.lastPage = -1;
    walk.target = first;
    walk.hasAsked = false;
    walk.visits = 0;
    walk.isDone.fill(0, first, walk.end);
  }

  /** What others change, or the walk itself, may be stepped over or seen in either form. */
  #changed(tree: number): void {
    const { changedFirst, changedCount } = this.#scene.machine.tables;
    for (const walk of this.#walks) {
      if (!walk.isOn || walk.tree !== tree) continue;
      const from = Math.max(walk.first, changedFirst);
      const to = Math.min(walk.end, changedFirst + changedCount);
      if (from < to) walk.isDone.fill(1, from, to);
    }
  }

  #visited(walk: Walk, page: number, goesOn: boolean, level: number): void {
    this.judgements += 1;
    const { report, machine } = this.#scene;
    const isFurther = page > walk.lastPage || (page === walk.lastPage && level > walk.lastLevel);
    if (walk.lastPage >= 0 && !isFurther) {
      report.add('iterator', 'visited-twice', 'entry', { page, found: level });
      return;
    }
    walk.lastPage = page;
    walk.lastLevel = level;
    walk.visits += 1;
    if (walk.hasAsked && walk.visits > VISITS_MAX) {
      report.add('iterator', 'never-asks', 'actor', { page, found: walk.visits });
      return;
    }
    if (goesOn) return;
    const pages = levelPages(machine.tables.trees[walk.tree]!.geometry, level);
    const from = Math.max(walk.first, page);
    const to = Math.min(walk.end, page + pages);
    if (from < to) walk.isDone.fill(1, from, to);
  }

  /** @param isOwnWill because somebody waits for the lock, not to get memory */
  #yielded(walk: Walk, target: number, isOwnWill: boolean): void {
    this.judgements += 1;
    if (isOwnWill && target === walk.target) {
      this.#scene.report.add('iterator', 'no-progress', 'actor', { page: target });
      return;
    }
    walk.target = target;
    walk.lastPage = -1;
  }

  #ended(walk: Walk, isEarly: boolean): void {
    walk.isOn = false;
    this.#walking -= 1;
    if (isEarly) return;
    this.judgements += 1;
    const missed = walk.isDone.indexOf(0, walk.first);
    if (missed < 0 || missed >= walk.end) return;
    const { entries } = this.#scene.machine.tables.trees[walk.tree]!;
    this.#scene.report.add('iterator', 'skipped', 'entry', {
      page: missed,
      found: entries[missed]!,
    });
  }
}
