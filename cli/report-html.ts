/** The report as one page that needs no network and no script. */
import { escapeHtml, page } from './page.ts';
import {
  duration,
  grouped,
  headline,
  type Report,
  type ReportedFinding,
  type Summary,
} from './report-model.ts';

/** Findings whose explanation is open at once. */
const OPEN = 3;

export function reportPage(report: Report, folder: string): string {
  const title = headline(report);
  const { summary } = report;
  const started = summary.sessions[0]?.at;
  const body = `<p class="brand">Stagewright</p>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(`${folder} · seed ${summary.seed} · ${summary.strategy}${started === undefined ? '' : ` · started ${started}`}${summary.interrupted ? ' · interrupted' : ''}`)}</p>
${figures(report)}
<h2>Findings</h2>
${findingsOf(report)}
<h2>Signatures over time</h2>
${curve(summary)}
<h2>What ran</h2>
${systems(summary)}
<h2>What it shows</h2>
<p>${escapeHtml(report.assurance)}</p>
<h2>What was not exercised</h2>
${gaps(report)}
<h2>Sessions</h2>
${sessions(summary)}
`;
  return page({ title, body, styles: ['base.css', 'report.css'] });
}

function figures({ summary, findings, waiting, throughput }: Report): string {
  const count = findings.length + waiting.length;
  const list: readonly (readonly [string, string, string])[] = [
    [String(count), count === 1 ? 'signature' : 'signatures', count > 0 ? 'bad' : 'good'],
    [grouped(summary.executions), 'executions', ''],
    [grouped(throughput), 'executions per second', ''],
    [grouped(summary.steps), 'steps', ''],
    [duration(summary.seconds), `with ${summary.jobs} workers`, ''],
    [percent(summary.vacuous, summary.executions), 'vacuous', ''],
  ];
  const cells = list.map(
    ([value, label, kind]) =>
      `<div class="figure ${kind}"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`,
  );
  return `<div class="figures">${cells.join('')}</div>`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)} %`;
}

function findingsOf({ findings, waiting, summary }: Report): string {
  if (findings.length + waiting.length === 0) return '<p>No oracle objected.</p>';
  const rest = [
    ...waiting.map(
      ({ signature, hits }) => `${escapeHtml(signature)}: ${grouped(hits)} hits, not minimised yet`,
    ),
    ...summary.met.map(
      ({ signature, by, case: file }) =>
        `${escapeHtml(signature)}: met while minimising ${escapeHtml(by)} (<a href="${escapeHtml(file)}">case</a>)`,
    ),
  ].map((text) => `<li class="signature">${text}</li>`);
  return `${findings.map((one, index) => finding(one, index < OPEN)).join('\n')}${rest.length > 0 ? `<ul>${rest.join('')}</ul>` : ''}`;
}

function finding(one: ReportedFinding, isOpen: boolean): string {
  const facts: readonly (readonly [string, string])[] = [
    ['found by', one.strategy],
    ['first', `execution ${grouped(one.first)}, after ${duration(one.seconds)}`],
    ['last', `execution ${grouped(one.last)}`],
    ['hits', grouped(one.hits)],
    ['minimised to', `${one.operations} operations, ${one.switches} switches`],
  ];
  const links = [
    ...(one.viewer === undefined
      ? []
      : [`<a href="${escapeHtml(one.viewer)}">step through it</a>`]),
    ...(one.file === undefined ? [] : [`<a href="${escapeHtml(one.file)}">case</a>`]),
  ];
  const what = `${one.system}${one.bug === undefined ? '' : ` with ${one.bug}`}`;
  return `<article class="finding">
<h3>${escapeHtml(capital(one.sentence))}</h3>
<div>${escapeHtml(`${one.oracle} in ${what}`)}${links.length > 0 ? ` · ${links.join(' · ')}` : ''}</div>
<div class="signature">${escapeHtml(one.signature)}</div>
<dl>${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>
<details${isOpen ? ' open' : ''}><summary>Explanation</summary><pre>${escapeHtml(one.explanation.join('\n'))}</pre></details>
<details><summary>Case</summary><pre>${escapeHtml(one.caseText)}</pre></details>
</article>`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Signatures known after so many executions, as steps. */
function curve({ curve: points, executions }: Summary): string {
  const known = points.length > 0 ? points : [{ executions: 0, seconds: 0, signatures: 0 }];
  const [width, height, left, bottom] = [1000, 220, 46, 30];
  const most = Math.max(1, executions, ...known.map((point) => point.executions));
  const top = Math.max(1, ...known.map((point) => point.signatures));
  const x = (value: number): number => left + ((width - left - 8) * value) / most;
  const y = (value: number): number => height - bottom - ((height - bottom - 16) * value) / top;
  let path = `M ${x(0)} ${y(0)}`;
  for (const point of known)
    path += ` H ${x(point.executions).toFixed(1)} V ${y(point.signatures).toFixed(1)}`;
  path += ` H ${x(most)}`;
  const last = known.at(-1)!;
  return `<svg class="curve" viewBox="0 0 ${width} ${height}" role="img" aria-label="${last.signatures} signatures after ${grouped(most)} executions">
<line class="axis" x1="${left}" x2="${width - 8}" y1="${height - bottom}" y2="${height - bottom}"/>
<line class="axis" x1="${left}" x2="${left}" y1="8" y2="${height - bottom}"/>
<text x="${left - 8}" y="${y(top) + 4}" text-anchor="end">${top}</text>
<text x="${left - 8}" y="${y(0) + 4}" text-anchor="end">0</text>
<text x="${width - 8}" y="${height - 8}" text-anchor="end">${grouped(most)} executions</text>
<path class="line" d="${path}"/>
</svg>`;
}

function systems({ systems: list }: Summary): string {
  const rows = list.flatMap(({ system, configurations, byConfiguration }) =>
    Object.entries(configurations).map(([configuration, executions]) => {
      const { operations = {}, oracles = {}, goals = [] } = byConfiguration[configuration] ?? {};
      const begun = Object.values(operations).reduce((sum, one) => sum + one.begun, 0);
      const judged = Object.values(oracles).reduce((sum, one) => sum + one, 0);
      const cells = [executions, begun, judged].map(
        (value) => `<td class="number">${grouped(value)}</td>`,
      );
      const reached = goals.filter((goal) => goal.reached).length;
      cells.push(
        `<td class="number">${goals.length === 0 ? '' : `${reached}/${goals.length}`}</td>`,
      );
      return `<tr><td>${escapeHtml(system)}</td><td>${escapeHtml(configuration)}</td>${cells.join('')}</tr>`;
    }),
  );
  return `<table><thead><tr><th>system</th><th>configuration</th><th class="number">executions</th><th class="number">operations begun</th><th class="number">judgements</th><th class="number">goals</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function gaps({ gaps: list }: Report): string {
  if (list.length === 0)
    return '<p>Every operation ended well at least once, and every oracle judged.</p>';
  return `<ul>${list.map((gap) => `<li class="warn">${escapeHtml(gap)}</li>`).join('')}</ul>`;
}

function sessions({ sessions: list }: Summary): string {
  const rows = list.map(
    ({ at, jobs, engine }) =>
      `<tr><td>${escapeHtml(at)}</td><td class="number">${jobs}</td><td>${escapeHtml(engine)}</td></tr>`,
  );
  return `<table><thead><tr><th>started</th><th class="number">workers</th><th>engine</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}
