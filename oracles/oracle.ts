/**
 * Contract of an oracle: one claim about every run, judged from events, claims, operation cards and
 * the abstract map. Oracles know no system and none of its flags. Reports carry facts; text is made later.
 */
import { assert } from '../sim/assert.ts';
import type { Card } from '../sim/card.ts';
import type { ClaimCode } from '../sim/claims.ts';
import type { EventCode } from '../sim/event.ts';
import type { Invariant } from '../sim/invariant.ts';
import type { Machine } from '../sim/machine.ts';
import type { Ownership } from '../sim/ownership.ts';
import type { Listener } from '../sim/spec.ts';

/** An operation of the loaded program, as far as oracles know it. */
export interface Duty {
  readonly card: Card;
  readonly args: readonly number[];
  /** Range of input pages that the card names; count 0 when it names none. */
  readonly first: number;
  readonly count: number;
  /** Range that the card lets it touch; contains the other one. */
  readonly reachFirst: number;
  readonly reachCount: number;
}

/** What a violation is about. */
export type Subject =
  | 'translation'
  | 'table'
  | 'page'
  | 'entry'
  | 'count'
  | 'lock'
  | 'actor'
  | 'log';

/** A broken promise: which clause, at which event, and the facts of it. */
export interface Violation {
  readonly oracle: string;
  /** Which clause of the claim: a stable word, part of the signature. */
  readonly rule: string;
  readonly subject: Subject;
  /** Trace row of the event that was judged. */
  readonly row: number;
  readonly step: number;
  readonly actor: number;
  readonly operation: number;
  readonly site: number;
  readonly page: number | undefined;
  readonly frame: number | undefined;
  readonly word: number | undefined;
  readonly pe: number | undefined;
  /** Row of the event that made what should be gone (a TLB fill, a walk's read, a grant). */
  readonly survivor: number | undefined;
  /** Operation instance whose promise is broken, when it is not the judged event's. */
  readonly promisedBy: number | undefined;
  /** Two values that should agree, for people. */
  readonly expected: number | undefined;
  readonly found: number | undefined;
}

/** What a report says besides its rule; numbers only, text is made later. */
export interface Facts {
  readonly page?: number;
  readonly frame?: number;
  readonly word?: number;
  readonly pe?: number;
  readonly survivor?: number;
  readonly promisedBy?: number;
  readonly expected?: number;
  readonly found?: number;
}

/** Takes the first violation of a run and stops the run. */
export class Report {
  readonly #machine: Machine;
  violation: Violation | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Events for which the run goes on after a violation, to see what comes of it. */
  aftermath = 0;

  reset(): void {
    this.violation = undefined;
  }

  add(oracle: string, rule: string, subject: Subject, facts: Facts): void {
    if (this.violation !== undefined) return;
    const machine = this.#machine;
    const row = machine.trace.count - 1;
    this.violation = {
      oracle,
      rule,
      subject,
      row,
      step: machine.steps,
      actor: machine.actor,
      operation: machine.operation,
      site: row < 0 ? 0 : machine.trace.site(row),
      page: facts.page,
      frame: facts.frame,
      word: facts.word,
      pe: facts.pe,
      survivor: facts.survivor,
      promisedBy: facts.promisedBy,
      expected: facts.expected,
      found: facts.found,
    };
    if (this.aftermath > 0) {
      machine.haltAt = machine.events + this.aftermath;
      return;
    }
    machine.halted = true;
    machine.grant = 0;
  }
}

/** What an oracle may look at. */
export interface Scene {
  readonly machine: Machine;
  readonly report: Report;
  /** By operation instance of the loaded program; replaced for every run. */
  duties: readonly Duty[];
  /** First reference count word, or -1. */
  readonly countBase: number;
  /** What the system states about its own data. */
  readonly invariants: readonly Invariant[];
  /** Who owns which page; undefined where nobody does. */
  readonly ownership?: Ownership | undefined;
}

/** An oracle attached to one machine; reset for every run. */
export interface Oracle extends Listener {
  /** Times that the claim was tested in all runs so far. */
  judgements: number;
  reset(): void;
}

/** What the operations of a configuration promise, and which facts they and its boot tell. */
export interface Promises {
  readonly cards: readonly Card[];
  readonly claims: ReadonlySet<ClaimCode>;
}

/** An oracle as the registry knows it. */
export interface OracleSpec {
  readonly id: string;
  /** The claim in one sentence. */
  readonly claim: string;
  readonly listens: readonly EventCode[];
  /** Those of them that it has no use for on this machine. */
  skips?(scene: Scene): readonly EventCode[];
  /** Claims that it listens to; all of them when not given. */
  readonly claims?: readonly ClaimCode[];
  /** Scenes about which it has something to say, given what their operations promise; all when not given. */
  concerns?(scene: Scene, promises: Promises): boolean;
  /** It judges only where an operation makes this claim, by its card. */
  readonly needs?: ClaimCode;
  create(scene: Scene): Oracle;
}

/** Kinds of events that the oracle is told of in this scene. */
export function listensTo(spec: OracleSpec, scene: Scene): readonly EventCode[] {
  const skipped = spec.skips?.(scene) ?? [];
  return spec.listens.filter((kind) => !skipped.includes(kind));
}

/** Checks a specification where it is written: an id of small letters and a claim in words. */
export function defineOracle(spec: OracleSpec): OracleSpec {
  assert(
    /^[a-z][a-z0-9-]*$/.test(spec.id),
    `"${spec.id}" is an id: small letters, digits, hyphens`,
  );
  assert(spec.claim.length > 0, `${spec.id} says what it claims`);
  return spec;
}
