/**
 * The state of a litmus machine between two events as a number: equal states have equal futures. Instances of
 * words and ages of TLB entries count only as far as the machine looks at them.
 */
import type { LitmusMachine } from './machine.ts';
import { type Slot, Stage } from './slot.ts';
import type { ThreadState } from './thread.ts';

/** Two 32-bit hashes side by side; the result has 52 bits. */
class Mixer {
  #high = 0x2545f491;
  #low = 0x27220a95;

  add(value: number): void {
    // values of registers may exceed 32 bits
    const word = (value ^ (value / 0x100000000)) | 0;
    this.#high = Math.imul(this.#high ^ word, 0x9e3779b1);
    this.#high ^= this.#high >>> 15;
    this.#low = Math.imul(this.#low ^ word, 0x85ebca6b) + 0x165667b1;
    this.#low ^= this.#low >>> 13;
  }

  get value(): number {
    return (this.#high >>> 6) * 0x4000000 + (this.#low >>> 6);
  }
}

export function fingerprint(litmus: LitmusMachine): number {
  const { machine, threads, words, updates } = litmus;
  const mixer = new Mixer();
  for (const word of words) mixer.add(machine.memory.load(word));
  for (const thread of threads) addThread(litmus, thread, mixer);
  for (const pe of machine.pes) {
    // in any order
    let sum = 0;
    const { tlb } = pe;
    for (let i = 0; i < tlb.count; i += 1)
      sum = (sum + Math.imul(tlb.word[i]! ^ (tlb.first[i]! * 0x9e3779b1), 0x2c1b3c6d)) | 0;
    mixer.add(sum);
    mixer.add(pe.outstanding);
  }
  const { invalidations: queue } = machine;
  for (let slot = 0; slot < queue.slots; slot += 1) {
    if (queue.pending[slot] === 0) continue;
    mixer.add(queue.operation[slot]! | (queue.page[slot]! << 8) | (queue.issuer[slot]! << 16));
    mixer.add(queue.pending[slot]!);
  }
  for (let i = 0; i < updates.length; i += 1) mixer.add(updates[i]!);
  return mixer.value;
}

function addThread(litmus: LitmusMachine, thread: ThreadState, mixer: Mixer): void {
  mixer.add(thread.path.length);
  for (const slot of thread.path) {
    mixer.add(
      slot.index |
        (slot.stage << 8) |
        (slot.isDone ? 1024 : 0) |
        (slot.isUpdating ? 2048 : 0) |
        (slot.isWriting ? 8192 : 0) |
        (slot.isPending ? 16384 : 0) |
        (slot.isRetry ? 4096 : 0),
    );
    mixer.add(slot.owes);
    for (const one of slot.overtaken) mixer.add(one.target ^ (one.issuer << 20));
    for (const target of slot.excluded) mixer.add(-target);
    if (slot.stage === Stage.Waiting) {
      const guess = thread.guesses.get(slot.index);
      if (guess !== undefined) mixer.add(guess ? 2 : 3);
    } else addAccess(litmus, slot, mixer);
  }
}

function addAccess(litmus: LitmusMachine, slot: Slot, mixer: Mixer): void {
  mixer.add(slot.place);
  mixer.add(slot.location);
  mixer.add(slot.cause.length);
  if (slot.isUpdating) {
    const now = litmus.machine.memory.instance(litmus.entryWord(slot.location));
    mixer.add(slot.readInstance === now ? 1 : 0);
  }
  if (slot.stage !== Stage.Performed) return;
  if (slot.memory!.reads || slot.memory!.isExclusive) {
    mixer.add(slot.result.value!);
    const isNewest = slot.seen === litmus.machine.memory.instance(slot.place);
    mixer.add(slot.seen < 0 ? 0 : isNewest ? 1 : 2);
  }
}
