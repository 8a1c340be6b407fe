import { parentPort } from 'node:worker_threads'
import { judgeBy } from '../domain/screening/compile-policy.ts'
import { draftOf } from '../domain/screening/facts.ts'
import type { Policy } from '../domain/screening/policy.ts'
import { preparePolicy } from '../domain/screening/prepare-policy.ts'
import type { PolicyTask } from './policy-tasks.ts'
import type { Reply } from './pool.ts'

const perform = (task: PolicyTask): unknown => {
  if ('prepare' in task) return preparePolicy(JSON.parse(task.prepare) as Policy)
  const judge = judgeBy(task.policy)
  return task.drafts.map((written) => judge(draftOf(written), written.facts).verdict)
}

const reply = (task: PolicyTask): Reply => {
  try {
    return { result: perform(task) }
  } catch (error) {
    return { error: error as Error }
  }
}

parentPort!.on('message', (task: PolicyTask) => parentPort!.postMessage(reply(task)))
