#!/usr/bin/env node
// Runs the TypeScript sources through tsx; there is no build step.
import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
