/** What CI systems read: JUnit, SARIF 2.1.0, GitHub's annotations and step summary. All pure text. */
import { relative } from 'node:path';
import type { CiFinding, CiResult } from './ci.ts';
import { type Place, placeOf } from './site-place.ts';

/** What a finding says, without its lanes: the paragraph that begins with the oracle's name. */
function factsOf({ found }: CiFinding): readonly string[] {
  return found.case.comment.split('\n');
}

function titleOf({ system, found }: CiFinding): string {
  const { expect } = found.case;
  return `${system}: ${expect?.oracle ?? 'clean'} (${expect?.rule ?? ''})`;
}

// ---- JUnit ----

export function junit({ corpus, systems, findings, seconds }: CiResult): string {
  const cases = [
    ...corpus.files.map((file) => {
      const failure = corpus.failed.find((one) => one.file === file);
      return testCase(
        'corpus',
        file,
        failure && element('failure', failure.reason, failure.reason),
      );
    }),
    ...systems.map(({ system, executions }) =>
      testCase('campaign', `${system}: ${executions} executions`, undefined),
    ),
    ...findings.map((finding) => {
      const text = [...factsOf(finding), '', finding.repeat].join('\n');
      const kind = finding.isNew ? 'failure' : 'skipped';
      const message = finding.isNew ? titleOf(finding) : 'the base has it, too';
      return testCase(
        'campaign',
        `${finding.system} ${finding.found.signature}`,
        element(kind, message, text),
      );
    }),
  ];
  const failures = corpus.failed.length + findings.filter(({ isNew }) => isNew).length;
  const skipped = findings.filter(({ isNew }) => !isNew).length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="stagewright" tests="${cases.length}" failures="${failures}" time="${seconds.toFixed(3)}">`,
    `<testsuite name="stagewright" tests="${cases.length}" failures="${failures}" skipped="${skipped}" errors="0" time="${seconds.toFixed(3)}">`,
    ...cases,
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(group: string, name: string, content: string | undefined): string {
  const head = `<testcase classname="${group}" name="${escapeXml(name)}" time="0"`;
  return content === undefined ? `${head}/>` : `${head}>${content}</testcase>`;
}

function element(name: string, message: string, text: string): string {
  return `<${name} message="${escapeXml(message)}">${escapeXml(text)}</${name}>`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}

// ---- SARIF ----

/** Results with `baselineState`: new, or unchanged when the base has them. */
export function sarif(result: CiResult, version: string): string {
  const { corpus, findings } = result;
  const rules = new Map<string, string>();
  for (const { found } of findings) {
    const { oracle = '', rule = '' } = found.case.expect ?? {};
    rules.set(`${oracle}/${rule}`, `The oracle ${oracle} objects: ${rule}.`);
  }
  if (corpus.failed.length > 0) rules.set('corpus', 'A case of the corpus is not as recorded.');
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'stagewright',
            version,
            rules: [...rules].map(([id, text]) => ({ id, shortDescription: { text } })),
          },
        },
        results: [
          ...corpus.failed.map(({ file, reason }) => ({
            ruleId: 'corpus',
            level: 'error',
            message: { text: reason },
            locations: [location({ file, line: 1 })],
            partialFingerprints: { 'stagewright/v1': `corpus ${file}` },
          })),
          ...findings.map((finding) => sarifResult(finding)),
        ],
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function sarifResult(finding: CiFinding): object {
  const { found, system, isNew, repeat } = finding;
  const { oracle = '', rule = '' } = found.case.expect ?? {};
  return {
    ruleId: `${oracle}/${rule}`,
    level: isNew ? 'error' : 'note',
    baselineState: isNew ? 'new' : 'unchanged',
    message: { text: [...factsOf(finding), `To repeat: ${repeat}`].join('\n') },
    locations: [location(placeOfFinding(finding))],
    partialFingerprints: { 'stagewright/v1': `${system} ${found.signature}` },
  };
}

function location({ file, line }: Place): object {
  const uri = relative('.', file).replaceAll('\\', '/');
  return { physicalLocation: { artifactLocation: { uri }, region: { startLine: line } } };
}

/** The line of the model that the finding names, or the case where no source is at hand. */
function placeOfFinding({ found, system, file }: CiFinding): Place {
  return placeOf(system, found.case.expect?.at.site ?? '') ?? { file, line: 1 };
}

// ---- GitHub ----

/** Workflow commands: an error for what fails, a notice for what the base has, too. */
export function annotations({ corpus, findings }: CiResult): readonly string[] {
  return [
    ...corpus.failed.map(({ file, reason }) =>
      command('error', { file, line: 1 }, 'corpus', reason),
    ),
    ...findings.map((finding) =>
      command(
        finding.isNew ? 'error' : 'notice',
        placeOfFinding(finding),
        titleOf(finding),
        [...factsOf(finding), `To repeat: ${finding.repeat}`].join('\n'),
      ),
    ),
  ];
}

function command(level: string, { file, line }: Place, title: string, text: string): string {
  const data = (value: string): string =>
    value.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const property = (value: string): string =>
    data(value).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const path = relative('.', file).replaceAll('\\', '/');
  return `::${level} file=${property(path)},line=${line},title=${property(title)}::${data(text)}`;
}

/** Markdown for the step's page: what ran, what is new with a line to repeat it, what is known. */
export function stepSummary(result: CiResult): string {
  const { corpus, systems, findings, seed, isFailed } = result;
  const fresh = findings.filter(({ isNew }) => isNew);
  const known = findings.filter(({ isNew }) => !isNew);
  const count = systems.reduce((sum, { executions }) => sum + executions, 0);
  const lines = [
    `## Stagewright: ${isFailed ? 'failed' : 'passed'}`,
    '',
    `${corpus.passed} of ${corpus.cases} cases of the corpus are as recorded; ${count} executions of seed ${seed}, ` +
      `${fresh.length} new findings, ${known.length} that the base has, too.`,
  ];
  if (corpus.failed.length > 0) {
    lines.push('', '| case | what is wrong |', '|---|---|');
    for (const { file, reason } of corpus.failed) lines.push(`| \`${file}\` | ${cell(reason)} |`);
  }
  for (const finding of fresh) {
    lines.push('', `### ${titleOf(finding)}`, '', '```', ...finding.found.explanation, '```');
    lines.push('', `To repeat: \`${finding.repeat}\` (case \`${finding.file}\`)`);
  }
  if (known.length > 0) {
    lines.push('', '| on the base, too | to repeat |', '|---|---|');
    for (const { system, found, repeat } of known)
      lines.push(`| ${cell(`${system} ${found.signature}`)} | \`${repeat}\` |`);
  }
  return `${lines.join('\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
