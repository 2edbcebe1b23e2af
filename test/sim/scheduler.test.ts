/** The recorded schedule: its text form, and the log that records it. */
import test from 'ava';
import fc from 'fast-check';
import { AnswerLog, type Answers, formatAnswers, parseAnswers } from '../../sim/scheduler.ts';

const ACTORS = 5;

const source = fc.nat(40);
const answers: fc.Arbitrary<Answers> = fc
  .record({
    runs: fc.array(fc.record({ source, count: fc.integer({ min: 1, max: 999_999_999 }) })),
    exceptions: fc.array(
      fc.record({ question: fc.nat(999_999_999), reply: fc.integer({ min: 1, max: 999_999 }) }),
    ),
  })
  .map(({ runs, exceptions }) => ({
    sources: runs.map((run) => run.source),
    counts: runs.map((run) => run.count),
    questions: exceptions.map((exception) => exception.question),
    replies: exceptions.map((exception) => exception.reply),
  }));

test('a schedule reads back from its text as it was', (t) => {
  fc.assert(
    fc.property(answers, fc.integer({ min: 1, max: 31 }), (schedule, actorCount) => {
      t.deepEqual(parseAnswers(formatAnswers(schedule, actorCount), actorCount), schedule);
    }),
    { numRuns: 300 },
  );
});

test('two schedules have two texts', (t) => {
  fc.assert(
    fc.property(answers, answers, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      return formatAnswers(one, ACTORS) !== formatAnswers(other, ACTORS);
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('actors and hardware sources are written apart', (t) => {
  const schedule = {
    sources: [1, 0, ACTORS + 3],
    counts: [12, 9, 1],
    questions: [4, 7],
    replies: [1, 2],
  };
  t.is(formatAnswers(schedule, ACTORS), 'a1*12 a0*9 t3*1 | 4=1 7=2');
  t.is(formatAnswers({ ...schedule, questions: [], replies: [] }, ACTORS), 'a1*12 a0*9 t3*1');
});

test('text of another form is refused', (t) => {
  const malformed = [
    'a1',
    'a1*',
    'a*3',
    'b1*3',
    'a1*3,a2*4',
    'a1*-3',
    'a1*3.5',
    'a 1*3',
    'A1*3',
    'a1*3 | 4',
    'a1*3 | 4=',
    'a1*3 | =2',
    'a1*3 | 4=x',
    'a1*3 | 4=-1',
    'a1*3 | 4=1 | 5=1',
    'a1*3 4=1',
    'a1*1234567890',
    'a1234567*1',
    'a1*3 | 1234567890=1',
  ];
  for (const text of malformed) t.is(parseAnswers(text, ACTORS), undefined, text);
});

test('any text is either refused or read as whole numbers', (t) => {
  const piece = fc.constantFrom('a', 't', '*', '|', '=', ' ', '-', '0', '1', '9', 'x', '\n');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
      const schedule = parseAnswers(pieces.join(''), ACTORS);
      if (schedule === undefined) return true;
      const { sources, counts, questions, replies } = schedule;
      return (
        sources.length === counts.length &&
        questions.length === replies.length &&
        [...sources, ...counts, ...questions, ...replies].every(Number.isSafeInteger)
      );
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('the log joins adjacent events of one source and keeps answers that are not the default', (t) => {
  const log = new AnswerLog();
  for (const one of [1, 1, 1, 0, 1, 7, 7]) log.event(one);
  for (const answer of [0, 0, 2, 0, 1]) log.reply(answer);
  t.deepEqual(log.answers, {
    sources: [1, 0, 1, 7],
    counts: [3, 1, 1, 2],
    questions: [2, 4],
    replies: [2, 1],
  });
  t.is(log.questions, 5);
});

test('the log keeps a schedule that is longer than its first arrays', (t) => {
  const log = new AnswerLog();
  for (let i = 0; i < 5000; i += 1) {
    log.event(i & 1);
    log.reply((i % 3) as 0 | 1 | 2);
  }
  const { sources, counts, questions, replies } = log.answers;
  t.is(sources.length, 5000);
  t.true(sources.every((one, i) => one === (i & 1)));
  t.true(counts.every((count) => count === 1));
  t.deepEqual(
    questions.map((question, i) => replies[i] === question % 3),
    questions.map(() => true),
  );
  t.is(questions.length, 3333);
});

test('the log of a reset machine is empty', (t) => {
  const log = new AnswerLog();
  log.event(1);
  log.reply(1);
  log.reset();
  t.deepEqual(log.answers, { sources: [], counts: [], questions: [], replies: [] });
  t.is(log.questions, 0);
});
