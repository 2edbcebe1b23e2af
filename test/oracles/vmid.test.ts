import test from 'ava';
import { vmid } from '../../oracles/vmid.ts';
import { baseRegister } from '../../sim/access.ts';
import { Claim } from '../../sim/claims.ts';
import { Event } from '../../sim/event.ts';
import { Role } from '../../sim/pages.ts';
import { TlbKind } from '../../sim/tlb.ts';
import { GUEST_VMID, passes, reports, SHADOW_VMID, Stage, TreeIndex, Who } from './stage.ts';

const stageOfTwo = (): Stage => new Stage(vmid, { guests: true });

/** The PE has the root of a tree with this number loaded, and enters the guest of the actor. */
function enter(stage: Stage, actor: number, pe: number, tree: TreeIndex, number: number): void {
  const { pes } = stage.machine;
  pes[pe]!.vttbr = baseRegister(stage.tree(tree).root, number);
  pes[pe]!.guest = true;
  stage.as(actor, 0).emit(Event.GuestEnter, pe);
}

/** The PE caches the descriptor at a word under a number; the event follows the entry. */
function fill(stage: Stage, pe: number, word: number, number: number): void {
  stage.cache(pe, word, { vmid: number });
  stage.emit(Event.TlbFill, pe | (TlbKind.Leaf << 8), 0, stage.load(word), word);
}

test('it has something to say about machines with several guests only', (t) => {
  const promises = { cards: [], claims: new Set<never>() };
  t.is(vmid.concerns?.(stageOfTwo().scene, promises), true);
  t.is(vmid.concerns?.(new Stage(vmid).scene, promises), false);
});

test('two guests run with their own tables and numbers', (t) => {
  const stage = stageOfTwo();
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, GUEST_VMID);
  enter(stage, Who.Vcpu1, 1, TreeIndex.Shadow, SHADOW_VMID);
  passes(t, stage);
});

test('a guest that runs with the tables of another', (t) => {
  const stage = stageOfTwo();
  enter(stage, Who.Vcpu1, 1, TreeIndex.Guest, GUEST_VMID);
  reports(t, stage, 'other-tables');
});

test('a guest that runs with the number that it had before', (t) => {
  const stage = stageOfTwo();
  stage.claim(Claim.ContextTagged, TreeIndex.Guest, 3);
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, 3);
  passes(t, stage);
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, GUEST_VMID);
  reports(t, stage, 'old-number');
});

test('a guest whose number was given to one that has no tree here', (t) => {
  const stage = stageOfTwo();
  stage.claim(Claim.ContextTagged, -1, GUEST_VMID);
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, GUEST_VMID);
  reports(t, stage, 'old-number');
});

test('two guests that run with one number', (t) => {
  const stage = stageOfTwo();
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, GUEST_VMID);
  stage.claim(Claim.ContextTagged, TreeIndex.Shadow, GUEST_VMID);
  enter(stage, Who.Vcpu1, 1, TreeIndex.Shadow, GUEST_VMID);
  reports(t, stage, 'shared-number');
});

test('the number of a guest that has left may be another one’s', (t) => {
  const stage = stageOfTwo();
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, GUEST_VMID);
  stage.machine.pes[0]!.guest = false;
  stage.claim(Claim.ContextTagged, TreeIndex.Shadow, GUEST_VMID);
  enter(stage, Who.Vcpu1, 1, TreeIndex.Shadow, GUEST_VMID);
  passes(t, stage);
});

test('an entry is tagged with the number of the guest whose table it was read from', (t) => {
  const stage = stageOfTwo();
  const word = stage.unheard(() => stage.map(0, stage.take(Role.Data)));
  enter(stage, Who.Vcpu0, 0, TreeIndex.Guest, GUEST_VMID);
  fill(stage, 0, word, GUEST_VMID);
  passes(t, stage);
});

test('an entry of one guest that is tagged with the number of another', (t) => {
  const stage = stageOfTwo();
  const word = stage.unheard(() => stage.map(0, stage.take(Role.Data)));
  // the walk of the first guest goes on after the second was loaded
  enter(stage, Who.Vcpu1, 0, TreeIndex.Shadow, SHADOW_VMID);
  fill(stage, 0, word, GUEST_VMID);
  passes(t, stage);
  fill(stage, 0, word, SHADOW_VMID);
  reports(t, stage, 'other-guests-entry');
});
