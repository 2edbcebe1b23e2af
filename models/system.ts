/**
 * Contract of a system under test: what it mirrors, its configurations, operations with their
 * cards, bug flags, and how its world is built. Systems know no oracle; oracles know no system.
 */
import type fc from 'fast-check';
import type { Actor, ActorRole, Operation } from '../sim/actor.ts';
import type { Card } from '../sim/card.ts';
import type { ClaimCode } from '../sim/claims.ts';
import type { Descriptor } from '../sim/descriptor.ts';
import type { Geometry } from '../sim/geometry.ts';
import type { GoalStep } from '../sim/goal-steps.ts';
import type { Invariant } from '../sim/invariant.ts';
import type { Machine } from '../sim/machine.ts';
import type { WordAddress } from '../sim/memory.ts';
import type { Ownership } from '../sim/ownership.ts';
import type { Sites } from '../sim/site.ts';
import type { MachineSpec } from '../sim/spec.ts';

/** An argument of an operation. */
export interface Parameter<C> {
  readonly name: string;
  /** How the value is written in a case: pages in hexadecimal. */
  readonly kind: 'page' | 'count';
  /** Values that may be drawn; also the limits that a case is checked against. */
  readonly arbitrary: (configuration: C) => fc.Arbitrary<number>;
  readonly max: (configuration: C) => number;
}

/** An operation: who runs it, its arguments, what it promises, and its body. */
export interface OperationSpec<C = Configuration, W = World> {
  readonly id: string;
  /** Ids that it had before, the oldest first: cases that name it by one of them still do. */
  readonly formerly?: readonly string[];
  readonly title: string;
  readonly roles: readonly ActorRole[];
  readonly parameters: readonly Parameter<C>[];
  readonly card: Card;
  /** The card in configurations, or for actors, where it is another. */
  readonly cardIn?: (configuration: C, actor?: string) => Card;
  /** Whether programs of a configuration may contain it; all may when undefined. */
  readonly isIn?: (configuration: C) => boolean;
  /** Relative frequency before swarm weights; 0 for entries that only roles contain. */
  readonly weight: number;
  /** True for operations of which one program makes sense to contain at most one. */
  readonly once?: boolean;
  /** True when a run without this operation's access would be vacuous. */
  readonly isGuestAccess?: boolean;
  /** The nearest arguments that make sense together, such as a range inside the window. */
  readonly constrain?: (args: readonly number[], configuration: C) => readonly number[];
  start(self: Actor, world: W, args: readonly number[]): Operation<number>;
}

/** A number that a run may be given besides its program, such as whether the log is on at boot. */
export interface RunParameter {
  readonly name: string;
  readonly title: string;
  readonly default: number;
  readonly max: number;
}

/** One shape of a system: geometry, actors, fidelity, features. */
export interface Configuration {
  readonly id: string;
  readonly title: string;
  /** A historical configuration is run only when it is named. */
  readonly kind: 'correct' | 'historical';
  readonly geometry: Geometry;
  /** Real geometry: at most 5 % of a default campaign. */
  readonly isReal: boolean;
  readonly fidelity: 'F1' | 'F2' | 'tso';
  /** Threads may move from one PE to another. */
  readonly movesThreads?: true;
  readonly vcpus: number;
  readonly hosts: number;
  /** Devices that use the guest's tables; none when not given. */
  readonly devices?: number;
  /** Relative share of a default campaign. */
  readonly weight: number;
  /** What a case may set with `with:`. */
  readonly parameters: readonly RunParameter[];
}

/** What most configurations are; `id`, `title`, `geometry` and `parameters` are their own. */
export const USUAL = Object.freeze({
  kind: 'correct',
  isReal: false,
  fidelity: 'F1',
  vcpus: 2,
  hosts: 2,
  weight: 100,
} as const satisfies Partial<Configuration>);

/** A known defect as a flag, or a flaw of a historical configuration. */
export interface Bug {
  /** Zoo id plus words: `A03-coalesce-flushes-one-ipa`. */
  readonly id: string;
  readonly title: string;
  readonly upstream: string;
  /** Configuration that it needs, or with a `*` at its end several; any when undefined. */
  readonly configuration?: string;
  readonly caughtBy: readonly string[];
  /** Not in the `zoo` of the system (aliases and the canary's switch). */
  readonly isHidden?: boolean;
}

/**
 * Something that campaigns over the correct model must have come to, so that its oracles have seen it: events of
 * one run that come in this order, with others in between.
 */
export interface Goal<C = Configuration> {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly GoalStep[];
  /** Whether runs of a configuration can reach it; all can when undefined. */
  readonly isIn?: (configuration: C) => boolean;
}

/** A system booted on a machine: lives as long as the machine and is reset for every run. */
export interface World {
  readonly machine: Machine;
  /** First of the reference count words, one per frame; -1 where the system counts nothing. */
  readonly countBase: WordAddress;
  /** What is always true of its own data; see sim/invariant.ts. */
  readonly invariants?: readonly Invariant[];
  /** Claims that `reset` may make, where no operation has run yet. */
  readonly claimsAtBoot?: readonly ClaimCode[];
  /** Who owns which page, where components do not trust each other; see sim/ownership.ts. */
  readonly ownership?: Ownership;
  /** Name of a kernel word, for people; undefined where it has none. */
  nameWord?(word: WordAddress): string | undefined;
  /** An entry of a tree at a level (the machine's), in the fields that the system's authors know. */
  describeEntry?(tree: number, level: number, word: Descriptor): string;
  /** Brings machine and world to the state at boot; costs what the last run touched. */
  reset(parameters: Readonly<Record<string, number>>): void;
}

/** A system under test; `defineSystem` makes one. */
export interface System {
  readonly id: string;
  readonly title: string;
  readonly mirrors: string;
  /** False for the canary, which belongs to no "all". */
  readonly isListed: boolean;
  readonly configurations: readonly Configuration[];
  readonly operations: readonly OperationSpec[];
  /** Entry that ends the program of each actor of a role, by operation id. */
  readonly epilogue: Readonly<Partial<Record<ActorRole, string>>>;
  readonly bugs: readonly Bug[];
  readonly goals: readonly Goal[];
  readonly sites: readonly Sites<string>[];
  machine(configuration: Configuration): MachineSpec;
  boot(machine: Machine, configuration: Configuration, bugs: BugFlags): World;
}

/**
 * The bug flags of a world. Reading a flag is an event outside the digest: it is noted here with
 * the number of trace rows at that moment.
 */
export class BugFlags {
  readonly #enabled: ReadonlySet<string>;
  readonly #machine: Machine;
  readonly #isIdle: boolean;
  /** Trace rows when an enabled or tested flag was first read in this run; -1 when it was not. */
  firstRead = -1;
  readonly watched: string | undefined;

  /** @param watched the flag whose first reading is noted; the enabled one by default */
  constructor(machine: Machine, enabled: readonly string[], watched?: string) {
    this.#machine = machine;
    this.#enabled = new Set(enabled);
    this.watched = watched ?? enabled[0];
    this.#isIdle = this.watched === undefined;
  }

  on(id: string): boolean {
    // the correct model asks often: no flag is enabled or watched
    if (this.#isIdle) return false;
    if (this.firstRead < 0 && id === this.watched) this.firstRead = this.#machine.trace.count;
    return this.#enabled.has(id);
  }

  reset(): void {
    this.firstRead = -1;
  }
}

/** Keeps a system's own types where it is defined, and gives the engine the general ones. */
export function defineSystem<C extends Configuration, W extends World>(
  system: Omit<System, 'configurations' | 'operations' | 'goals' | 'machine' | 'boot'> & {
    readonly goals: readonly Goal<C>[];
    readonly configurations: readonly C[];
    readonly operations: readonly OperationSpec<C, W>[];
    machine(configuration: C): MachineSpec;
    boot(machine: Machine, configuration: C, bugs: BugFlags): W;
  },
): System {
  return system as unknown as System;
}
