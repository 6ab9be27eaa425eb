// Types of lambed/testing.
import type { CreateFunctionRequest, Gateway, GatewayOptions, InvokeOptions, InvokeResult } from './index.cjs';

/** What is used of node:test's TestContext. */
export interface TestContext {
  after(fn: () => Promise<void>): void;
  diagnostic(message: string): void;
  readonly passed?: boolean;
}

/** A gateway that is closed when the test ends. Its log is kept (`gateway.logs()`), and shown when the test fails. */
export declare function testGateway(t: TestContext, options?: GatewayOptions): Gateway;

export interface HandlerRequest extends Omit<CreateFunctionRequest, 'name'> {
  name?: string;
  /** Default: one for this test. */
  gateway?: Gateway;
}

/** A handler as a function: called with an event it resolves to the answer, or is rejected with a `HandlerError`. */
export declare function testHandler<Event = any, Answer = any>(
  t: TestContext,
  request: HandlerRequest,
): Promise<(event?: Event, options?: Omit<InvokeOptions, 'logTail'>) => Promise<Answer>>;

/** The handler has failed: its runtime's error document as an Error. */
export declare class HandlerError extends Error {
  constructor(result: InvokeResult);
  readonly errorType: string;
  /** The lines of the stack trace, as the runtime gives them. */
  readonly trace: unknown[];
  readonly result: InvokeResult;
}

/** Fails, with the error document and the log's tail, unless the function has answered. */
export declare function assertSucceeded(result: InvokeResult): void;
