import test from 'ava';
import { accessedBit } from '../../oracles/accessed-bit.ts';
import type { Card } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';
import { ACCESSED, leaf, READ, table } from '../../sim/descriptor.ts';
import { Role } from '../../sim/pages.ts';
import {
  judgesAfresh,
  passes,
  READ_ONLY,
  READ_WRITE,
  reports,
  Stage,
  TreeIndex,
  Who,
} from './stage.ts';

const QUESTION: Partial<Card> = { tree: TreeIndex.Guest, claims: [Claim.YoungAnswered] };
const FIRST = 4;
const PAGES = 3;

/** Pages 4 to 6 are mapped, young where listed; operation 0 of the host begins to ask. */
function asked(...young: readonly number[]): Stage {
  const stage = new Stage(accessedBit);
  stage.duty(0, QUESTION, [FIRST, PAGES]);
  stage.duty(1, QUESTION, [FIRST, PAGES]);
  for (let page = FIRST; page < FIRST + PAGES; page += 1) {
    stage.map(page, stage.take(Role.Data), young.includes(page) ? READ_ONLY : READ);
  }
  stage.begin();
  return stage;
}

function answer(stage: Stage, young: boolean): void {
  stage.claim(Claim.YoungAnswered, FIRST, PAGES, young ? 1 : 0);
}

/** The walker of PE 0 uses a page. */
function touch(stage: Stage, page: number): void {
  const { actor, operation } = stage.machine;
  const word = stage.word(page);
  stage.as(Who.Walker0, 7).storeByHardware(word, stage.load(word) | ACCESSED);
  stage.as(actor, operation);
}

/** Clears a flag as the given operation. */
function age(stage: Stage, page: number, actor: number, operation: number): void {
  const word = stage.word(page);
  stage.as(actor, operation).store(word, stage.load(word) & ~ACCESSED);
  stage.as(Who.Host0, 0);
}

test('nothing was used, and the answer is old', (t) => {
  const stage = asked();
  answer(stage, false);
  passes(t, stage);
});

test('one page was used, and the answer is young', (t) => {
  const stage = asked(6);
  answer(stage, true);
  passes(t, stage);
});

test('the last page kept its flag all the time, and the answer is old', (t) => {
  const stage = asked(6);
  answer(stage, false);
  reports(t, stage, 'old-though-used');
  t.is(stage.scene.report.violation?.page, 6);
});

test('nothing was used at any time, and the answer is young', (t) => {
  const stage = asked();
  answer(stage, true);
  reports(t, stage, 'young-without-use');
});

test('a page that is used while the question runs: either answer was true at some instant', (t) => {
  for (const young of [false, true]) {
    const stage = asked();
    touch(stage, 5);
    answer(stage, young);
    passes(t, stage);
  }
});

test('a page that somebody else makes old meanwhile: either answer was true', (t) => {
  for (const young of [false, true]) {
    const stage = asked(5);
    age(stage, 5, Who.Host1, 1);
    answer(stage, young);
    passes(t, stage);
  }
});

test('a page that becomes old and young again was not young all the time', (t) => {
  const stage = asked(5);
  age(stage, 5, Who.Host1, 1);
  touch(stage, 5);
  answer(stage, false);
  passes(t, stage);
});

test('a page unmapped meanwhile was not young all the time', (t) => {
  const stage = asked(5);
  stage.as(Who.Host1, 1).store(stage.word(5), 0);
  stage.as(Who.Host0, 0);
  answer(stage, false);
  passes(t, stage);
});

test('clearing the flag by the question itself does not count', (t) => {
  const stage = asked(5);
  age(stage, 5, Who.Host0, 0);
  answer(stage, false);
  reports(t, stage, 'old-though-used');
});

test('the question clears the flag and answers young', (t) => {
  const stage = asked(4, 5, 6);
  for (const page of [4, 5, 6]) age(stage, page, Who.Host0, 0);
  answer(stage, true);
  passes(t, stage);
});

test('pages outside the range do not matter', (t) => {
  const stage = asked();
  stage.unheard(() => stage.map(7, stage.take(Role.Data), READ_ONLY));
  touch(stage, 7);
  answer(stage, true);
  reports(t, stage, 'young-without-use');
});

test('the same page numbers of another tree do not matter', (t) => {
  const stage = asked();
  stage.as(Who.Host1, 1).map(5, stage.take(Role.Data), READ_ONLY, TreeIndex.Shadow);
  stage.as(Who.Host0, 0);
  answer(stage, true);
  reports(t, stage, 'young-without-use');
});

test('a block that is young answers for its pages', (t) => {
  const stage = new Stage(accessedBit);
  stage.duty(0, QUESTION, [FIRST, PAGES]);
  stage.mapBlock(4, stage.takeRun(Role.Data, 4), READ_ONLY);
  stage.begin();
  answer(stage, false);
  reports(t, stage, 'old-though-used');
});

test('an invalid word with the bit of the flag is not young', (t) => {
  const stage = new Stage(accessedBit, { annotations: true });
  stage.duty(0, QUESTION, [FIRST, PAGES]);
  stage.store(stage.path(5), ACCESSED);
  stage.begin();
  answer(stage, false);
  passes(t, stage);
});

test('the pages of a tree that is retired meanwhile: either answer was true', (t) => {
  for (const young of [false, true]) {
    const stage = asked(5);
    stage.claim(Claim.ContextRetired, TreeIndex.Guest);
    answer(stage, young);
    passes(t, stage);
  }
});

test('another tree that is retired changes nothing', (t) => {
  const stage = asked(5);
  stage.claim(Claim.ContextRetired, TreeIndex.Shadow);
  answer(stage, false);
  reports(t, stage, 'old-though-used');
});

test('two questions at once are judged apart', (t) => {
  const stage = asked(5);
  age(stage, 5, Who.Host1, 1);
  stage.as(Who.Host1, 1).begin();
  stage.as(Who.Host0, 0);
  answer(stage, true);
  passes(t, stage);
  stage.as(Who.Host1, 1);
  answer(stage, true);
  reports(t, stage, 'young-without-use');
});

test('what was true for one question says nothing about the next', (t) => {
  const stage = asked(5);
  answer(stage, true);
  age(stage, 5, Who.Host0, 0);
  stage.as(Who.Host0, 1).begin();
  answer(stage, true);
  reports(t, stage, 'young-without-use');
});

test('only questions whose card says so are followed', (t) => {
  const stage = asked();
  stage.duty(2, { tree: TreeIndex.Guest }, [FIRST, PAGES]);
  stage.as(Who.Host0, 2).begin();
  touch(stage, 5);
  t.is(stage.rule, undefined);
  t.is(stage.judgements, 0);
});

test('a run after a reset is judged afresh', (t) => {
  const stage = new Stage(accessedBit);
  stage.duty(0, QUESTION, [FIRST, PAGES]);
  judgesAfresh(t, stage, 'old-though-used', () => {
    stage.map(5, stage.take(Role.Data), READ_ONLY);
    stage.begin();
    answer(stage, false);
  });
  stage.reset();
  stage.store(stage.path(5), leaf(40, READ));
  stage.begin();
  answer(stage, false);
  t.is(stage.rule, undefined);
});

// ---- found wanting once ----

test('a page outside the question’s range is judged by an older question', (t) => {
  const stage = asked(6);
  answer(stage, true);
  age(stage, 6, Who.Host0, 0);
  stage.duty(2, QUESTION, [FIRST, 1]);
  stage.as(Who.Host0, 2).begin();
  answer(stage, false);
  passes(t, stage);
});

test('an answer is compared with the pages that it is about', (t) => {
  const stage = asked(6);
  stage.claim(Claim.YoungAnswered, FIRST, 1, 1);
  reports(t, stage, 'young-without-use');
});

test('an answer without a question is no business of an older run', (t) => {
  const stage = asked(6);
  stage.reset();
  t.notThrows(() => answer(stage, false));
});

test('an answer about more than was asked: what was not watched may have been young', (t) => {
  const stage = asked();
  stage.claim(Claim.YoungAnswered, FIRST, PAGES + 1, 1);
  passes(t, stage);
  const other = asked(6);
  other.claim(Claim.YoungAnswered, FIRST, PAGES + 1, 0);
  reports(t, other, 'old-though-used');
});

test('a page whose entry changes its size meanwhile may be missed (E6)', (t) => {
  for (const isResized of [false, true]) {
    const stage = new Stage(accessedBit);
    const run = stage.takeRun(Role.Data, 4);
    const block = stage.unheard(() => stage.mapBlock(4, run));
    stage.duty(0, { tree: TreeIndex.Guest, claims: [Claim.YoungAnswered] }, [4, 1]);
    stage.as(Who.Host0, 0).begin();
    stage.as(Who.Vcpu0, 1);
    if (isResized) {
      const child = stage.take(Role.Table);
      const { memory } = stage.machine;
      for (let i = 0; i < 4; i += 1)
        memory.store(memory.address(child, i), leaf(run + i, READ_WRITE), 0);
      stage.store(block, table(child));
    }
    stage.as(Who.Host0, 0).claim(Claim.YoungAnswered, 4, 1, 0);
    t.is(stage.rule, isResized ? undefined : 'old-though-used');
  }
});

test('nothing is asked about a tree that is doomed', (t) => {
  const stage = new Stage(accessedBit);
  stage.unheard(() => stage.map(2, stage.take(Role.Data)));
  stage.duty(0, { tree: TreeIndex.Guest, claims: [Claim.YoungAnswered] }, [2, 1]);
  stage.as(Who.Host0, 0).begin();
  stage.as(Who.Host1, 1).claim(Claim.ContextDoomed, TreeIndex.Guest);
  stage.as(Who.Host0, 0).claim(Claim.YoungAnswered, 2, 1, 0);
  t.is(stage.rule, undefined);
});
