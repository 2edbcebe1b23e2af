/**
 * Replays ordering constraints. Events that no constraint mentions run by the default policy,
 * version 1: a store takes effect; else the running actor goes on; else an invalidation arrives; else the first actor in the
 * machine's order. An event waits while a constraint says that another comes first. When every
 * enabled event waits, the constraints of the first are given up and noted as broken.
 */
import { type Actor, ActorRole } from '../../sim/actor.ts';
import type { Scheduler, Scheduling } from '../../sim/scheduler.ts';
import type { EventKey } from '../names.ts';

export const POLICY_VERSION = 1;

export interface KeyedConstraint {
  readonly before: EventKey;
  readonly after: EventKey;
}

export interface KeyedChoice {
  readonly key: EventKey;
  readonly answer: number;
}

export class PolicyStrategy implements Scheduler {
  readonly id = 'policy';
  readonly #constraints: readonly KeyedConstraint[];
  readonly #choices: readonly KeyedChoice[];
  readonly #order: readonly number[];
  /** By constraint: its first event has happened; it was given up. */
  readonly #isMet: boolean[];
  readonly #isBroken: boolean[];
  readonly #counts = new Map<number, number>();
  readonly #asked = new Map<number, number>();

  /** @param order place of each actor among those that could go on; by number when not given */
  constructor(
    constraints: readonly KeyedConstraint[],
    choices: readonly KeyedChoice[],
    order: readonly number[] = [],
  ) {
    this.#order = order;
    this.#constraints = constraints;
    this.#choices = choices;
    this.#isMet = constraints.map(() => false);
    this.#isBroken = constraints.map(() => false);
  }

  /** Constraints that could not be honoured in the last run. */
  get broken(): readonly number[] {
    return this.#isBroken.flatMap((isBroken, index) => (isBroken ? [index] : []));
  }

  begin(_machine: Scheduling): void {
    this.#isMet.fill(false);
    this.#isBroken.fill(false);
    this.#counts.clear();
    this.#asked.clear();
  }

  pick(machine: Scheduling): number {
    for (;;) {
      const source = this.#choose(machine);
      if (source >= 0) {
        this.#happens(machine, source);
        return source;
      }
      this.#giveUp(machine);
    }
  }

  choose(machine: Scheduling, site: number, alternatives: number): number {
    const { operation } = machine;
    const name = operation * 0x40000000 + site;
    const occurrence = (this.#asked.get(name) ?? 0) + 1;
    this.#asked.set(name, occurrence);
    for (const { key, answer } of this.#choices) {
      if (key.operation === operation && key.site === site && key.occurrence === occurrence) {
        return answer < alternatives ? answer : 0;
      }
    }
    return 0;
  }

  #choose(machine: Scheduling): number {
    const { current, ready, readyCount, actorCount } = machine;
    const effect = this.#effect(machine);
    if (effect >= 0) return effect;
    if (
      current >= 0 &&
      current < actorCount &&
      machine.isReady(current) &&
      !this.#waits(machine, current)
    ) {
      return current;
    }
    let best = -1;
    for (let i = 0; i < readyCount; i += 1) {
      const source = ready[i]!;
      if (best >= 0 && this.#rank(source, actorCount) >= this.#rank(best, actorCount)) continue;
      if (!this.#waits(machine, source)) best = source;
    }
    return best;
  }

  /** The first store or register write that may take effect and is not held back; -1 at F1. */
  #effect(machine: Scheduling): number {
    let best = -1;
    for (let i = 0; i < machine.readyCount; i += 1) {
      const source = machine.ready[i]!;
      if (source < machine.sources.firstEffect || (best >= 0 && source > best)) continue;
      if (!this.#waits(machine, source)) best = source;
    }
    return best;
  }

  #waits(machine: Scheduling, source: number): boolean {
    const pending = machine.pending(source);
    for (let i = 0; i < this.#constraints.length; i += 1) {
      if (this.#isBroken[i] === true || this.#isMet[i] === true) continue;
      const { before, after } = this.#constraints[i]!;
      if (
        after.operation !== pending.operation ||
        after.site !== pending.site ||
        after.pe !== pending.pe
      )
        continue;
      if (this.#count(after) + 1 !== after.occurrence) continue;
      if (before.site === 0 && machine.hasEnded(before.operation)) continue;
      return true;
    }
    return false;
  }

  #happens(machine: Scheduling, source: number): void {
    if (this.#constraints.length === 0) return;
    const { operation, site, pe } = machine.pending(source);
    const name = keyOf(operation, site, pe);
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    for (let i = 0; i < this.#constraints.length; i += 1) {
      const { before } = this.#constraints[i]!;
      if (before.operation !== operation || before.site !== site || before.pe !== pe) continue;
      if (before.occurrence === count) this.#isMet[i] = true;
    }
  }

  #rank(source: number, actorCount: number): number {
    if (source >= actorCount) return source - actorCount;
    return (this.#order[source] ?? source) + 0x10000;
  }

  #count({ operation, site, pe }: EventKey): number {
    return this.#counts.get(keyOf(operation, site, pe)) ?? 0;
  }

  #giveUp(machine: Scheduling): void {
    let first = machine.ready[0]!;
    for (let i = 1; i < machine.readyCount; i += 1) {
      const source = machine.ready[i]!;
      if (this.#rank(source, machine.actorCount) < this.#rank(first, machine.actorCount))
        first = source;
    }
    const pending = machine.pending(first);
    for (let i = 0; i < this.#constraints.length; i += 1) {
      const { after } = this.#constraints[i]!;
      if (this.#isMet[i] === true) continue;
      if (
        after.operation !== pending.operation ||
        after.site !== pending.site ||
        after.pe !== pending.pe
      )
        continue;
      if (this.#count(after) + 1 === after.occurrence) this.#isBroken[i] = true;
    }
  }
}

function keyOf(operation: number, site: number, pe: number): number {
  return (operation * 64 + pe + 2) * 0x40000000 + site;
}

const ROLES: readonly ActorRole[] = [
  ActorRole.Vcpu,
  ActorRole.Host,
  ActorRole.Device,
  ActorRole.Hardware,
  ActorRole.Rcu,
];

/**
 * The place of each actor in the default policy: vCPUs, hosts, PEs, callbacks, each by the number in their
 * name, and last those that the program does not know. It does not depend on the order in which a system
 * makes its actors.
 */
export function policyOrder(actors: readonly Actor[], known: readonly string[]): readonly number[] {
  const number = ({ name }: Actor): number => Number(/\d+$/.exec(name)?.[0] ?? 0);
  const group = ({ name, role }: Actor): number => {
    const isStranger = role !== ActorRole.Rcu && !known.includes(name);
    return isStranger ? ROLES.length : ROLES.indexOf(role);
  };
  const sorted = [...actors].sort(
    (a, b) => group(a) - group(b) || number(a) - number(b) || a.index - b.index,
  );
  return actors.map((actor) => sorted.indexOf(actor));
}
