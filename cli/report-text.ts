/** The report as Markdown: for an issue, or a chat. */
import { duration, grouped, headline, type Report, type ReportedFinding } from './report-model.ts';

const GAPS_SHOWN = 8;

export function reportText(report: Report, folder: string): string {
  const { summary, findings, waiting, gaps } = report;
  const lines = [
    `## ${headline(report)}`,
    '',
    `Seed ${summary.seed}, strategy ${summary.strategy}, ${duration(summary.seconds)}, ` +
      `${grouped(report.throughput)} executions/s, ${grouped(summary.vacuous)} vacuous` +
      `${summary.interrupted ? '; interrupted' : ''}.`,
    '',
    report.assurance,
    '',
    '| system | executions | configurations |',
    '|---|--:|--:|',
    ...summary.systems.map(({ system, configurations }) => {
      const counts = Object.values(configurations);
      const sum = counts.reduce((total, one) => total + one, 0);
      return `| ${system} | ${grouped(sum)} | ${counts.length} |`;
    }),
    '',
    ...findings.flatMap((finding) => findingText(finding, folder)),
    ...summary.met.map(
      ({ signature, by, case: file }) =>
        `- met while minimising \`${by}\`: \`${signature}\`; \`stagewright replay ${folder}/${file}\``,
    ),
    ...waiting.map(({ signature, hits }) => `- not minimised yet: \`${signature}\` (${hits} hits)`),
    ...gaps.slice(0, GAPS_SHOWN).map((gap) => `- ${gap}`),
    ...(gaps.length > GAPS_SHOWN ? [`- and ${gaps.length - GAPS_SHOWN} more gaps`] : []),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function findingText(finding: ReportedFinding, folder: string): readonly string[] {
  const { system, bug, oracle, sentence, signature, strategy, hits, first, last } = finding;
  return [
    `### ${system}${bug === undefined ? '' : ` with ${bug}`}: ${sentence}`,
    '',
    `\`${oracle}\`, found by ${strategy} in execution ${grouped(first)} after ${duration(finding.seconds)}; ` +
      `${grouped(hits)} hits, last in ${grouped(last)}; ${finding.operations} operations, ${finding.switches} switches.`,
    `Signature: \`${signature}\``,
    '',
    '<details><summary>Explanation</summary>',
    '',
    '```',
    ...finding.explanation,
    '```',
    '',
    '</details>',
    '<details><summary>Case</summary>',
    '',
    '```yaml',
    finding.caseText.trimEnd(),
    '```',
    '',
    '</details>',
    '',
    `\`stagewright replay ${folder}/${finding.file}\``,
    '',
  ];
}
