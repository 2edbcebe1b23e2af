/**
 * Pages as one file each, which need no network: a body, styles, scripts and data put together. Scripts are
 * modules that import each other by name; here they become one, in the order of their imports.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'page');

export interface PageParts {
  readonly title: string;
  /** Files below cli/page. */
  readonly body: string;
  readonly styles: readonly string[];
  /** The script that begins; what it imports comes with it. */
  readonly script?: string;
  /** Handed to the script as JSON, in the element `data`. */
  readonly data?: unknown;
}

export function page({ title, body, styles, script, data }: PageParts): string {
  const json = JSON.stringify(data ?? null).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>
${styles.map(read).join('\n')}</style>
</head>
<body>
${body}
${data === undefined ? '' : `<script type="application/json" id="data">${json}</script>\n`}${script === undefined ? '' : `<script>\n'use strict';\n{\n${joined(script)}}\n</script>\n`}</body>
</html>
`;
}

/** A file below cli/page. */
export function read(name: string): string {
  return readFileSync(join(FOLDER, name), 'utf8');
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const IMPORT = /^import [^;]*? from .(\.[^']+).;\n/gm;

/** A script and what it imports as one text, without the words of modules. */
function joined(script: string, done: Set<string> = new Set()): string {
  if (done.has(script)) return '';
  done.add(script);
  const text = read(script);
  const before = [...text.matchAll(IMPORT)].map(([, name]) =>
    joined(normalize(join(dirname(script), name!)), done),
  );
  const own = text
    .replace(IMPORT, '')
    .replace(/^export /gm, '')
    .replaceAll('</', '<\\/');
  return `${before.join('')}${own}\n`;
}
