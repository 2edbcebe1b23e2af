import test from 'ava';
import { content } from '../../oracles/content.ts';
import { Claim } from '../../sim/claims.ts';
import { Intent } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import type { Ownership } from '../../sim/ownership.ts';
import { Role } from '../../sim/pages.ts';
import { passes, reports, Stage, TreeIndex, Who } from './stage.ts';

const HOST = 0;
const GUEST = 2;

const OWNERS: Ownership = {
  components: ['host', 'hypervisor', 'guest'],
  hypervisor: 1,
  secretive: 1 << GUEST,
  first: 0,
  count: 64,
  memoryFirst: 0,
  memoryCount: 64,
  lock: 0,
  ownerAtBoot: () => HOST,
  references: () => 0,
  recording: 0,
  states: () => 0,
};

/** The guest of the third tree has written a page of its own. */
function written(): { stage: Stage; frame: number } {
  const stage = new Stage(content, { ownership: OWNERS });
  const frame = stage.take(Role.Data);
  stage.claim(Claim.OwnershipChanged, frame, GUEST, 1 << GUEST);
  stage.machine.pes[0]!.vttbr = stage.tree(TreeIndex.Shadow).vmid;
  stage.as(Who.Vcpu0, 0);
  stage.emit(Event.Use, 3, frame, Intent.Write, 0);
  return { stage, frame };
}

test('a page that a guest wrote is cleared before the host gets it', (t) => {
  const { stage, frame } = written();
  stage.emit(Event.Zeroed, frame);
  stage.claim(Claim.OwnershipChanged, frame, HOST, 1 << HOST);
  passes(t, stage);
});

test('... and is not given as it is', (t) => {
  const { stage, frame } = written();
  stage.claim(Claim.OwnershipChanged, frame, HOST, 1 << HOST);
  reports(t, stage, 'not-cleared');
});

test('the guest may let the host see its own page', (t) => {
  const { stage, frame } = written();
  stage.claim(Claim.OwnershipChanged, frame, GUEST, (1 << GUEST) | (1 << HOST));
  stage.claim(Claim.OwnershipChanged, frame, HOST, 1 << HOST);
  passes(t, stage);
});

test('what the host was let see is no secret when the host passes it on', (t) => {
  const { stage, frame } = written();
  stage.claim(Claim.OwnershipChanged, frame, GUEST, (1 << GUEST) | (1 << HOST));
  stage.emit(Event.Use, 3, frame, Intent.Write, 0);
  stage.claim(Claim.OwnershipChanged, frame, HOST, 1 << HOST);
  stage.claim(Claim.OwnershipChanged, frame, HOST, (1 << HOST) | (1 << 1));
  passes(t, stage);
});

test('what a guest writes after it has ended the share is secret again', (t) => {
  const { stage, frame } = written();
  stage.claim(Claim.OwnershipChanged, frame, GUEST, (1 << GUEST) | (1 << HOST));
  stage.claim(Claim.OwnershipChanged, frame, GUEST, 1 << GUEST);
  stage.emit(Event.Use, 3, frame, Intent.Write, 0);
  stage.claim(Claim.OwnershipChanged, frame, HOST, 1 << HOST);
  reports(t, stage, 'not-cleared');
});

test('a page that somebody wrote does not become a table uncleared', (t) => {
  const { stage, frame } = written();
  stage.machine.pages.role[frame] = Role.Cached;
  stage.emit(Event.Linked, frame, 3, 0, 0);
  reports(t, stage, 'table-not-cleared');
});

test('a page read by a guest holds nothing of it', (t) => {
  const stage = new Stage(content, { ownership: OWNERS });
  const frame = stage.take(Role.Data);
  stage.claim(Claim.OwnershipChanged, frame, GUEST, 1 << GUEST);
  stage.machine.pes[0]!.vttbr = stage.tree(TreeIndex.Shadow).vmid;
  stage.as(Who.Vcpu0, 0);
  stage.emit(Event.Use, 3, frame, Intent.Read, 0);
  stage.claim(Claim.OwnershipChanged, frame, HOST, 1 << HOST);
  passes(t, stage);
});
