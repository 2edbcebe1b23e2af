import test from 'ava';
import { ownership } from '../../oracles/ownership.ts';
import { Claim } from '../../sim/claims.ts';
import { Intent } from '../../sim/descriptor.ts';
import { Event } from '../../sim/event.ts';
import { type Ownership, PageState } from '../../sim/ownership.ts';
import { Regime } from '../../sim/tables.ts';
import { FRAMES, KERNEL_FRAMES, Lock, passes, reports, Stage, TreeIndex, Who } from './stage.ts';

/** Components, with the trees that they run with. */
const HOST = 0;
const HYPERVISOR = 1;
const GUEST = 2;
const PAGE = FRAMES - 4;

/** Records that tests write by hand; by component and frame, the host's alone by default. */
class Records implements Ownership {
  readonly components = ['host', 'hypervisor', 'guest', 'keeps no record'];
  readonly hypervisor = HYPERVISOR;
  readonly secretive = 1 << GUEST;
  readonly first = KERNEL_FRAMES;
  readonly count = FRAMES - KERNEL_FRAMES;
  readonly memoryFirst = PAGE - 4;
  readonly memoryCount = 6;
  readonly lock = Lock.Mmu;
  readonly written = new Map<string, PageState>();
  referenced = 0;
  ownerAtBoot = (): number => HOST;
  references = (): number => this.referenced;
  readonly recording = (1 << (GUEST + 1)) - 1;
  states(frame: number): number {
    const stateOf = (component: number): PageState => {
      const untouched = component === HOST ? PageState.Owned : PageState.None;
      return this.written.get(`${component} ${frame}`) ?? untouched;
    };
    return stateOf(HOST) | (stateOf(HYPERVISOR) << 2) | (stateOf(GUEST) << 4);
  }
  write(frame: number, host: PageState, hypervisor: PageState, guest: PageState): void {
    [host, hypervisor, guest].forEach((state, i) => {
      this.written.set(`${i} ${frame}`, state);
    });
  }
}

function open(): { stage: Stage; records: Records } {
  const records = new Records();
  const stage = new Stage(ownership, { ownership: records });
  // boot is over
  stage.machine.events = 1;
  return { stage, records };
}

/** Who owns a page from now on, and who may reach it. */
function says(stage: Stage, owner: number, ...reach: readonly number[]): void {
  const mask = reach.reduce((sum, component) => sum | (1 << component), 0);
  stage.claim(Claim.OwnershipChanged, PAGE, owner, mask);
}

function use(stage: Stage, actor: number, regime: Regime): void {
  stage.as(actor, 0);
  stage.emit(Event.Use, 5, PAGE, Intent.Read | (regime << 4), 3);
}

test('the owner reaches its page, another component does not', (t) => {
  const { stage } = open();
  use(stage, Who.Vcpu0, Regime.Guest);
  passes(t, stage);
  use(stage, Who.Vcpu0, Regime.Hypervisor);
  reports(t, stage, 'used');
  t.is(stage.scene.report.violation?.survivor, 3);
});

test('who was let reaches the page until that ends', (t) => {
  const { stage } = open();
  says(stage, HOST, HOST, HYPERVISOR);
  use(stage, Who.Vcpu0, Regime.Hypervisor);
  passes(t, stage);
  says(stage, HOST, HOST);
  use(stage, Who.Vcpu0, Regime.Hypervisor);
  reports(t, stage, 'used');
});

test('a page is mapped for those who may reach it only', (t) => {
  const { stage } = open();
  stage.map(5, PAGE);
  passes(t, stage);
  stage.map(6, PAGE, undefined, TreeIndex.Hypervisor);
  reports(t, stage, 'mapped');
});

test('a page that goes to another owner is mapped no more', (t) => {
  const { stage } = open();
  stage.map(5, PAGE);
  says(stage, HYPERVISOR, HYPERVISOR);
  reports(t, stage, 'still-mapped');
});

test('... and no TLB translates to it', (t) => {
  const { stage } = open();
  const word = stage.map(5, PAGE);
  stage.cache(1, word);
  stage.store(word, 0);
  says(stage, HYPERVISOR, HYPERVISOR);
  reports(t, stage, 'still-reachable');
  t.is(stage.scene.report.violation?.pe, 1);
});

test('a page goes from one owner alone to another alone', (t) => {
  const { stage } = open();
  says(stage, HOST, HOST, GUEST);
  says(stage, HYPERVISOR, HYPERVISOR);
  reports(t, stage, 'given-while-shared');
});

test('a page that nobody reaches any more may go to anybody', (t) => {
  const { stage } = open();
  says(stage, GUEST, GUEST);
  says(stage, GUEST);
  says(stage, HOST, HOST);
  passes(t, stage);
});

test('only memory changes hands', (t) => {
  const { stage } = open();
  stage.claim(Claim.OwnershipChanged, PAGE + 3, HYPERVISOR, 1 << HYPERVISOR);
  reports(t, stage, 'not-memory');
});

test('the hypervisor gives a page away when nothing refers to it', (t) => {
  const { stage, records } = open();
  says(stage, HYPERVISOR, HYPERVISOR);
  records.referenced = 1;
  says(stage, HOST, HOST);
  reports(t, stage, 'given-while-referenced');
});

test('the hypervisor clears what is its own or nobody’s', (t) => {
  const { stage } = open();
  says(stage, GUEST, GUEST);
  says(stage, GUEST);
  stage.emit(Event.Zeroed, PAGE);
  passes(t, stage);
  says(stage, HOST, HOST);
  stage.emit(Event.Zeroed, PAGE);
  reports(t, stage, 'cleared');
});

test('records say what was said whenever the lock is released', (t) => {
  const { stage, records } = open();
  const release = (): void => {
    stage.lock(Lock.Mmu);
    stage.unlock(Lock.Mmu);
  };
  const { Owned, SharedOwned, SharedBorrowed, None } = PageState;
  release();
  says(stage, HOST, HOST, HYPERVISOR);
  records.write(PAGE, SharedOwned, SharedBorrowed, None);
  release();
  says(stage, HOST, HOST);
  records.write(PAGE, Owned, None, None);
  release();
  says(stage, GUEST, GUEST);
  records.write(PAGE, None, None, Owned);
  release();
  passes(t, stage);
  records.write(PAGE, None, Owned, Owned);
  release();
  reports(t, stage, 'records-differ');
});

test('what the host has alone is referenced by nobody', (t) => {
  const { stage, records } = open();
  records.referenced = 1;
  stage.lock(Lock.Mmu);
  stage.unlock(Lock.Mmu);
  reports(t, stage, 'referenced');
});

test('without owners there is nothing to judge', (t) => {
  const stage = new Stage(ownership);
  stage.map(5, PAGE);
  stage.lock(Lock.Mmu);
  stage.unlock(Lock.Mmu);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});
