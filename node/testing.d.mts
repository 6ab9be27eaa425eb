// Types of the ESM entry point of lambed/testing.
export * from './testing.cjs';
