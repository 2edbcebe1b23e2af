/**
 * The loaded program, and how far each actor is in it. Operation instances are numbered through, actor by actor.
 * The machine moves it on; everybody may ask who an instance is.
 */
import { assert } from './assert.ts';
import type { ProgramEntry } from './spec.ts';

export class Course {
  /** By operation instance. */
  readonly actorOf: number[] = [];
  readonly keyOf: string[] = [];
  readonly isImplicit: boolean[] = [];
  #program: readonly (readonly ProgramEntry[])[];
  /** By actor: its first instance, and how many it has begun and ended. */
  readonly #first: Int32Array;
  readonly #begun: Int32Array;
  readonly #ended: Int32Array;

  constructor(actors: number) {
    this.#program = Array.from({ length: actors }, () => []);
    this.#first = new Int32Array(actors);
    this.#begun = new Int32Array(actors);
    this.#ended = new Int32Array(actors);
  }

  /** Nobody has begun. */
  reset(): void {
    this.#begun.fill(0);
    this.#ended.fill(0);
  }

  /** Gives every actor its entries, for this run and the next ones; those without take no part. */
  load(program: readonly (readonly ProgramEntry[])[]): void {
    assert(program.length === this.#first.length, 'a program has a list for each actor');
    this.#program = program;
    this.actorOf.length = 0;
    this.keyOf.length = 0;
    this.isImplicit.length = 0;
    program.forEach((entries, actor) => {
      this.#first[actor] = this.actorOf.length;
      for (const { key, implicit } of entries) {
        this.actorOf.push(actor);
        this.keyOf.push(key);
        this.isImplicit.push(implicit);
      }
    });
  }

  takesPart(actor: number): boolean {
    return this.#program[actor]!.length > 0;
  }

  /** The entry that the actor begins now; undefined when it was through. */
  begin(actor: number): ProgramEntry | undefined {
    const entry = this.#program[actor]![this.#begun[actor]!];
    if (entry !== undefined) this.#begun[actor]! += 1;
    return entry;
  }

  /** The instance that the actor began last. */
  current(actor: number): number {
    return this.#first[actor]! + this.#begun[actor]! - 1;
  }

  /** The actor has ended what it began last. */
  end(actor: number): void {
    this.#ended[actor]! += 1;
  }

  hasEnded(operation: number): boolean {
    const actor = this.actorOf[operation]!;
    return operation < this.#first[actor]! + this.#ended[actor]!;
  }
}
