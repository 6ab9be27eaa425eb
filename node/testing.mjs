// The ESM entry point of lambed/testing.
import testing from './testing.cjs';

export const { HandlerError, assertSucceeded, testGateway, testHandler } = testing;
