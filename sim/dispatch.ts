/**
 * Hands events on to the listeners of a machine: one straight-line function per kind of event, in which every
 * listener has a call of its own. A loop over listeners of a dozen classes is a call that V8 cannot see through,
 * and it is made more than twice for each step of a program.
 */
import { CLAIM_NAMES, type ClaimCode } from './claims.ts';
import { EVENT_KINDS, Event, type EventCode } from './event.ts';
import type { Listener } from './spec.ts';

/** Tells the listeners of one kind of event, in the order in which they were attached. */
export type Dispatch = (a: number, b: number, c: number, d: number) => void;
type DispatchMaker = (...listeners: readonly Listener[]) => Dispatch;

/**
 * Makes dispatch functions. Machines that share one have the same code for the same listeners: V8 compiles it
 * once, and what runs one machine after the other finds it in the caches of the processor.
 */
export class Dispatchers {
  readonly #makers = new Map<string, DispatchMaker>();

  /** The function for the listeners of one kind; undefined for none. Its text is made of numbers only. */
  to(kind: EventCode, listeners: readonly Listener[]): Dispatch | undefined {
    if (listeners.length === 0) return undefined;
    // listeners of the same classes: what a call leads to is part of what V8 compiles
    const key = `${kind} ${listeners.map((listener) => listener.constructor.name).join(' ')}`;
    let make = this.#makers.get(key);
    if (make === undefined) {
      const names = listeners.map((_, index) => `listener${index}`);
      const calls = names.map((name) => `${name}.onEvent(${kind}, a, b, c, d);`);
      const body = `return (a, b, c, d) => { ${calls.join(' ')} };`;
      make = new Function(...names, body) as DispatchMaker;
      this.#makers.set(key, make);
    }
    return make(...listeners);
  }
}

/** The listeners of one machine, by kind of event, and those of claims by claim: most are of interest to one listener. */
export class Audience {
  readonly tell: (Dispatch | undefined)[] = new Array(EVENT_KINDS).fill(undefined);
  readonly tellClaim: (Dispatch | undefined)[] = CLAIM_NAMES.map(() => undefined);
  readonly #listeners: Listener[][] = Array.from({ length: EVENT_KINDS }, () => []);
  readonly #claimListeners: Listener[][] = CLAIM_NAMES.map(() => []);
  readonly #dispatchers: Dispatchers;

  constructor(dispatchers: Dispatchers) {
    this.#dispatchers = dispatchers;
  }

  /** @param claims the claims that it wants, all of them by default */
  add(listener: Listener, kinds: readonly EventCode[], claims?: readonly ClaimCode[]): void {
    for (const kind of kinds) {
      if (kind === Event.Claim) continue;
      this.#listeners[kind]!.push(listener);
      this.tell[kind] = this.#dispatchers.to(kind, this.#listeners[kind]!);
    }
    if (!kinds.includes(Event.Claim)) return;
    for (const claim of claims ?? this.#claimListeners.keys()) {
      this.#claimListeners[claim]!.push(listener);
      this.tellClaim[claim] = this.#dispatchers.to(Event.Claim, this.#claimListeners[claim]!);
    }
  }
}
