// What becomes of events: their configuration, and the table of dead letters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewayFor } from './support.mjs';

const queue = 'arn:aws:sqs:us-east-1:123456789012:q';
const arn = 'arn:aws:lambda:us-east-1:123456789012:function:f';

