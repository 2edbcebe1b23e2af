/**
 * The list of tables that stand where a large page could be, but for the mitigation that forbids large
 * executable pages. A member has its flag set; both change under pages_lock.
 *
 * Mirrors: possible_nx_huge_pages of Linux KVM/x86.
 * Source: spec/x86-xen.md A1, A9, amendments E10, E17.
 */
import type { Actor, Operation } from '../../sim/actor.ts';
import { sites } from '../../sim/site.ts';
import type { KvmWorld } from './world.ts';

export const listSites = sites('recovery-list', ['readHead', 'readNext', 'link', 'unlink']);
const at = listSites;

/** Value of the link of the last member; 0 is the link of a page that is not listed. */
const LAST = -1;

/** Puts a table at the head; pages_lock is held. */
export function* listLocked(self: Actor, world: KvmWorld, frame: number): Operation<void> {
  const head = yield* self.readOnce(at.readHead, world.listHead);
  yield* self.store(at.link, world.listNext(frame), head === 0 ? LAST : head);
  yield* self.store(at.link, world.listHead, frame);
}

/** The same before the run: nobody can see it. */
export function listAtBoot(world: KvmWorld, frame: number): void {
  const { memory } = world.machine;
  const head = memory.load(world.listHead);
  memory.store(world.listNext(frame), head === 0 ? LAST : head, 0);
  memory.store(world.listHead, frame, 0);
}

/** Takes a table off the list if it is on it; pages_lock is held. */
export function* unlistLocked(self: Actor, world: KvmWorld, frame: number): Operation<void> {
  const next = yield* self.readOnce(at.readNext, world.listNext(frame));
  if (next === 0) return;
  let before = world.listHead;
  let member = yield* self.readOnce(at.readHead, before);
  while (member !== frame) {
    before = world.listNext(member);
    member = yield* self.readOnce(at.readNext, before);
  }
  const isFirst = before === world.listHead;
  yield* self.store(at.unlink, before, next === LAST && isFirst ? 0 : next);
  yield* self.store(at.unlink, world.listNext(frame), 0);
}

/** First member, or 0; pages_lock is held. */
export function headLocked(self: Actor, world: KvmWorld) {
  return self.readOnce(at.readHead, world.listHead);
}
