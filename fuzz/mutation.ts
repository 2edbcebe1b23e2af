/**
 * Mutations: a system's operations run with one access removed, changed, answered wrongly or moved, to
 * see whether an oracle notices. Nothing is edited and no bug is known: an access is found by its kind
 * and site when it is made, and altered between the operation and the machine.
 *
 * Only sessions with a `Mutation` have actors of this kind; others run the plain actor.
 * Source: mutation analysis (DeMillo, Lipton, Sayward, "Hints on Test Data Selection", 1978).
 */
import type { OperationSpec, World } from '../models/system.ts';
import { Access } from '../sim/access.ts';
import { Actor, type Operation } from '../sim/actor.ts';
import { Result } from '../sim/card.ts';
import type { ClaimCode } from '../sim/claims.ts';
import type { ActorFactory, Machine } from '../sim/machine.ts';
import type { Site } from '../sim/site.ts';
import type { ActorSpec } from '../sim/spec.ts';
import type { Operator } from './operators.ts';
import { isTransparent } from './swaps.ts';

/** The operands of one access. */
export interface Request {
  access: Access;
  site: Site;
  x: number;
  y: number;
  z: number;
  w: number;
}

/** One change of one place in a system. */
export interface Mutant {
  /** `operator site` or `swap site site`: stable as long as sites are. */
  readonly id: string;
  readonly operator: Operator;
  readonly site: Site;
  /** The access that a moved one is moved past. */
  readonly other: Site | undefined;
  /** Least fidelity at which the change can have an effect. */
  readonly needs: 'F1' | 'F2';
}

/** Looks at every access of a program's actors before it is made, and at what reads return. */
export interface Watcher {
  begin(actor: MutantActor): void;
  /** A site that is come to: of any access, or of a choice. */
  site(site: Site): void;
  request(actor: MutantActor): void;
  /** @param earlier what this operation read or stored at the word before, if it did */
  answer(request: Readonly<Request>, value: number, earlier: number | undefined): void;
}

/** What the actors of a session do to their accesses; the same object for all of them. */
export class Mutation {
  mutant: Mutant | undefined;
  watcher: Watcher | undefined;
  /** Accesses at the mutant's place, and those of them that the change made different. */
  reached = 0;
  changed = 0;

  select(mutant: Mutant | undefined): void {
    this.mutant = mutant;
    this.reached = 0;
    this.changed = 0;
  }

  readonly createActor: ActorFactory = (machine, index, spec) =>
    new MutantActor(machine, index, spec, this);
}

/** Thrown through an operation that does not retry; it ends as if all were well. */
const GIVES_UP = Symbol('the operation does not retry');

const SKIPPED: Iterator<void, number, undefined> = Object.freeze({
  next: () => ({ done: true as const, value: 0 }),
});

export class MutantActor extends Actor {
  readonly #mutation: Mutation;
  /** By word: what the running operation read or stored there last. */
  readonly #known = new Map<number, number>();
  /** Locks and section domains that it believes to be in, as bit masks. */
  #skippedLocks = 0;
  #skippedSections = 0;
  /** The access that is to be moved; what it is moved past has been made; its claims. */
  #moved: Request | undefined;
  #isDue = false;
  readonly #claims: (readonly [ClaimCode, number, number, number])[] = [];
  /** The moved access was the last one that the operation asked for. */
  #isClaimHeld = false;

  constructor(machine: Machine, index: number, spec: ActorSpec, mutation: Mutation) {
    super(machine, index, spec.name, spec.role, spec.pe, spec.tree);
    this.#mutation = mutation;
  }

  /** An operation starts. */
  begin(): void {
    this.#known.clear();
    this.#skippedLocks = 0;
    this.#skippedSections = 0;
    this.#moved = undefined;
    this.#claims.length = 0;
    this.#isClaimHeld = false;
    this.#mutation.watcher?.begin(this);
  }

  /** An operation ends: an access that was still to be moved is made now. */
  *finish(): Operation<void> {
    if (this.#moved === undefined) return;
    this.load(this.#moved);
    this.#moved = undefined;
    yield* new Sequence(this, undefined);
  }

  override choose(site: Site, alternatives: number): number {
    this.#mutation.watcher?.site(site);
    return super.choose(site, alternatives);
  }

  /** What is claimed about an access goes where the access goes. */
  override claim(claim: ClaimCode, x: number, y: number, z: number): void {
    if (this.#isClaimHeld) this.#claims.push([claim, x, y, z]);
    else super.claim(claim, x, y, z);
  }

  /** The moved access has been made. */
  claimMoved(): void {
    for (const [claim, x, y, z] of this.#claims) super.claim(claim, x, y, z);
    this.#claims.length = 0;
  }

  override [Symbol.iterator](): Iterator<void, number, undefined> {
    const { mutant, watcher } = this.#mutation;
    watcher?.site(this.site);
    if (this.isHardware) return this;
    if (watcher !== undefined) {
      watcher.request(this);
      return this.#remember(watcher);
    }
    if (mutant === undefined) return this;
    this.#isClaimHeld = false;
    if (this.#moved !== undefined) return this.#pass(this.#moved, mutant);
    if (this.#isSkippedExit()) return this.#skip();
    if (this.site === mutant.site) return this.#mutate(mutant);
    return mutant.operator.answer === undefined ? this : this.#remember(undefined);
  }

  /** Lets the access be made, and keeps what the operation knows of its word afterwards. */
  #remember(watcher: Watcher | undefined): Iterator<void, number, undefined> {
    switch (this.access) {
      case Access.Read:
        return new Answered(this, watcher);
      case Access.Store:
      case Access.StoreRelease:
        this.#known.set(this.x, this.y);
        return this;
      case Access.CompareExchange:
        this.#known.delete(this.x);
        return watcher === undefined ? this : new Answered(this, watcher);
      case Access.Exchange:
      case Access.Add:
      case Access.Or:
        this.#known.delete(this.x);
        return this;
      default:
        return this;
    }
  }

  #mutate(mutant: Mutant): Iterator<void, number, undefined> {
    const { operator } = mutant;
    if (!operator.concerns(this)) return this;
    const mutation = this.#mutation;
    mutation.reached += 1;
    if (operator.answer !== undefined) {
      operator.change?.(this, this.machine);
      return new Answered(this, undefined);
    }
    if (mutant.other !== undefined) {
      this.#moved = this.request();
      this.#isDue = false;
      this.#isClaimHeld = true;
      return this.#skip();
    }
    if (operator.change !== undefined) {
      operator.change(this, this.machine);
      mutation.changed += 1;
      return this;
    }
    mutation.changed += 1;
    if (operator.givesUp === true) {
      this.access = Access.Invalid;
      throw GIVES_UP;
    }
    if (this.access === Access.Acquire) this.#skippedLocks |= 1 << this.x;
    if (this.access === Access.SectionEnter) this.#skippedSections |= 1 << this.x;
    return this.#skip();
  }

  /** The exit from what was never entered. */
  #isSkippedExit(): boolean {
    const bit = 1 << this.x;
    if (this.access === Access.Release && (this.#skippedLocks & bit) !== 0) {
      this.#skippedLocks &= ~bit;
      return true;
    }
    if (this.access === Access.SectionExit && (this.#skippedSections & bit) !== 0) {
      this.#skippedSections &= ~bit;
      return true;
    }
    return false;
  }

  /** An access comes while another waits to be made after it. */
  #pass(moved: Request, mutant: Mutant): Iterator<void, number, undefined> {
    if (!this.#isDue) {
      if (isTransparent(moved, this)) return this;
      if (this.site === mutant.other) {
        this.#mutation.changed += 1;
        this.#isDue = true;
        return this;
      }
      // what came is not what it was to be moved past: as it was
    }
    this.#moved = undefined;
    const next = this.request();
    this.load(moved);
    return new Sequence(this, next);
  }

  #skip(): Iterator<void, number, undefined> {
    this.access = Access.Invalid;
    return SKIPPED;
  }

  request(): Request {
    const { access, site, x, y, z, w } = this;
    return { access, site, x, y, z, w };
  }

  /** Puts a request in the place of the one that is pending or has just been made. */
  load(request: Request): void {
    Object.assign(this, request);
  }

  /** What the operation is told that it read: the value, or what the mutant makes of it. */
  told(request: Readonly<Request>, value: number, watcher: Watcher | undefined): number {
    const earlier = this.#known.get(request.x);
    if (request.access === Access.Read) this.#known.set(request.x, value);
    watcher?.answer(request, value, earlier);
    const { mutant } = this.#mutation;
    if (watcher !== undefined || mutant === undefined || request.site !== mutant.site) return value;
    const answer = mutant.operator.answer!(request, value, earlier);
    if (answer !== value) this.#mutation.changed += 1;
    return answer;
  }
}

/** Makes the moved access, which is pending, and then the one that the operation asked for. */
class Sequence implements Iterator<void, number, undefined>, Iterable<void, number, undefined> {
  readonly #actor: MutantActor;
  #next: Request | undefined;

  constructor(actor: MutantActor, next: Request | undefined) {
    this.#actor = actor;
    this.#next = next;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<void, number> {
    const step = this.#actor.next();
    if (step.done !== true) return step;
    this.#actor.claimMoved();
    if (this.#next === undefined) return step;
    this.#actor.load(this.#next);
    this.#next = undefined;
    return this.#actor.next();
  }
}

/** Makes the pending access and hands its result on, or another one. */
class Answered implements Iterator<void, number, undefined> {
  readonly #actor: MutantActor;
  readonly #request: Request;
  readonly #watcher: Watcher | undefined;

  constructor(actor: MutantActor, watcher: Watcher | undefined) {
    this.#actor = actor;
    this.#request = actor.request();
    this.#watcher = watcher;
  }

  next(): IteratorResult<void, number> {
    const step = this.#actor.next();
    if (step.done !== true) return step;
    return { done: true, value: this.#actor.told(this.#request, step.value, this.#watcher) };
  }
}

/** Starts an operation of a mutated session. */
export function* startMutated(
  spec: OperationSpec,
  self: Actor,
  world: World,
  args: readonly number[],
): Operation<number> {
  const actor = self as MutantActor;
  actor.begin();
  try {
    const result = yield* spec.start(self, world, args);
    yield* actor.finish();
    return result;
  } catch (error) {
    if (error === GIVES_UP) return Result.Ok;
    throw error;
  }
}
