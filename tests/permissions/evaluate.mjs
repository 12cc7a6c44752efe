// Decides IAM requests with @cloud-copilot/iam-simulate. One process decides a whole batch.
//
// stdin:  {"policies": {id: {"kind": "identity" | "resource" | "trust", "document": …}},
//          "situations": [{"principal", "resource", "account", "context", "identity": [id], "resource_policy": id or null}],
//          "requests": [[number of the request's situation, action]]}
// stdout: ["Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied"], in the order of the requests. If a request or policy
//         cannot be evaluated, the whole batch fails. Such a request never counts as denied.
//
// Two actions of one service get the same decision in the same situation if they match the same statements. Requests with
// such actions are one question, and the question is decided once. With "one_by_one": true, every request is decided
// separately.
//
// With "mutants", the output tells for each mutant whether the decision on at least one request is not the expected one:
//         {"mutants": [{"policy": id, "kind", "document", "before": statement or null, "after": statement or null}],
//          "expected": [whether the request must be allowed], "asked": {policy id: [numbers of requests, in this order]}}
// "document" replaces the policy. It differs from the policy in one statement: "before" without the mistake, "after" with
// the mistake.
//
// The program can decide every action, also one that the simulator's own data does not contain. The simulator compares
// the action's name with the names and patterns in the policies.

import {
  createValidatedPolicy,
  validateIdentityPolicy,
  validateResourcePolicy,
  validateTrustPolicy,
} from '@cloud-copilot/iam-policy'
import { runUnsafeSimulation } from '@cloud-copilot/iam-simulate'

// iam-simulate compares strings with localeCompare, which takes half of the run time. IAM's strings are ASCII, so a plain
// comparison is enough.
String.prototype.localeCompare = function (other) {
  const [left, right] = [this.toLowerCase(), other.toLowerCase()]
  return left === right ? 0 : left < right ? -1 : 1
}

const VALIDATE = { identity: validateIdentityPolicy, resource: validateResourcePolicy, trust: validateTrustPolicy }

function validated(id, { kind, document }) {
  const policy = createValidatedPolicy(document, VALIDATE[kind], { name: id })
  if (policy.errors.length) throw new Error(`${id}: ${JSON.stringify(policy.errors)}`)
  return policy
}

// runSimulation, the variant with checks, drops encryption contexts. It refuses the ARN of a function version, because the
// ARN might name an alias. It also refuses actions that its data does not contain. Other checks replace the ones of
// runSimulation: validated() checks the policies, and the tests check the list of actions (actions.py).
function decide(situation, action, policies) {
  return runUnsafeSimulation(
    {
      request: {
        principal: situation.principal,
        action,
        resource: { resource: situation.resource, accountId: situation.account },
        contextVariables: situation.context,
      },
      identityPolicies: situation.identity.map((id) => ({ name: id, policy: policies[id] })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: situation.resource_policy ? policies[situation.resource_policy] : undefined,
    },
    {},
  )
}

function cached(make) {
  const known = new Map()
  return (key, ...more) => {
    if (!known.has(key)) known.set(key, make(key, ...more))
    return known.get(key)
  }
}

const PROBE = { principal: 'arn:aws:iam::123456789012:role/probe', resource: 'arn:aws:probe:::probe', context: {} }
const listed = (value) => (Array.isArray(value) ? value : [value])

// Whether a pattern in a statement's Action or NotAction matches an action. The simulator decides the action with a policy
// that allows the pattern on every resource.
const names = cached((pattern) =>
  cached((action) => {
    const probe = validated(pattern, {
      kind: 'identity',
      document: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: pattern, Resource: '*' }] },
    })
    const situation = { ...PROBE, account: '123456789012', identity: ['probe'], resource_policy: null }
    return decide(situation, action, { probe }) === 'Allowed'
  }),
)

function isNamed(action, statement) {
  const { Action, NotAction } = statement
  if (!Action === !NotAction) throw new Error(`a statement with neither or both of Action and NotAction: ${JSON.stringify(statement)}`)
  const service = action.slice(0, action.indexOf(':') + 1)
  const isListed = listed(Action ?? NotAction).some((p) => (p === '*' || p.startsWith(service)) && names(p)(action))
  return Action ? isListed : !isListed
}

// A statement of a trust policy has no Resource, because the statement applies to the policy's role.
function isOfStatement(resource, statement) {
  return listed(statement.Resource ?? '*').some((pattern) => resourcePattern(pattern).test(resource))
}

const resourcePattern = cached((pattern) => {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i')
})

// iam-simulate treats three kinds of requests specially: GetCallerIdentity, some IAM actions on resources that belong to AWS,
// and some KMS actions on aliases of AWS.
function isSpecial(action, resource) {
  return action.toLowerCase() === 'sts:getcalleridentity' || /^arn:aws:iam::aws:|:role\/aws-reserved\/|:alias\/aws\//.test(resource)
}

// For each request, the number of its question. Requests that are the same question get the same number.
function questionsOf({ policies, situations, requests, one_by_one }) {
  const namedBy = cached((id) =>
    cached((action) => policies[id].document.Statement.map((statement) => (isNamed(action, statement) ? 1 : 0)).join('')),
  )
  const numbers = new Map()
  return requests.map(([number, action]) => {
    const { identity, resource, resource_policy } = situations[number]
    let question = `${number} ${action}`
    if (!one_by_one && !isSpecial(action, resource)) {
      const statements = [...identity, ...(resource_policy ? [resource_policy] : [])].map((id) => namedBy(id)(action))
      question = `${number} ${action.split(':')[0]} ${statements}`
    }
    if (!numbers.has(question)) numbers.set(question, numbers.size)
    return numbers.get(question)
  })
}

function decisions(batch, real) {
  const questions = questionsOf(batch)
  const answered = cached((question, number, action) => decide(batch.situations[number], action, real))
  return batch.requests.map(([number, action], index) => answered(questions[index], number, action))
}

function areCaught(batch, real) {
  const questions = questionsOf(batch)
  return batch.mutants.map((mutant) => {
    const wrong = { ...real, [mutant.policy]: validated(mutant.policy, mutant) }
    const answered = cached((question, number, action) => decide(batch.situations[number], action, wrong))
    const [before, after] = [mutant.before, mutant.after].map((statement) => ({
      names: cached((action) => statement !== null && isNamed(action, statement)),
      isOn: cached((resource) => statement !== null && isOfStatement(resource, statement)),
    }))
    const asked = batch.asked[mutant.policy]
    const place = asked.findIndex((index) => {
      const [number, action] = batch.requests[index]
      const { resource } = batch.situations[number]
      // A mistake can change only decisions on the actions and resources of the two statements.
      if (!before.names(action) && !after.names(action)) return false
      if (!before.isOn(resource) && !after.isOn(resource)) return false
      const decision = answered(2 * questions[index] + (after.names(action) ? 1 : 0), number, action)
      return (decision === 'Allowed') !== batch.expected[index]
    })
    // A request that catches one mutant often catches the next mutant too. Move the request to the front.
    if (place > 0) asked.unshift(...asked.splice(place, 1))
    return place >= 0
  })
}

function answer(batch) {
  const real = Object.fromEntries(Object.entries(batch.policies).map(([id, policy]) => [id, validated(id, policy)]))
  return batch.mutants ? areCaught(batch, real) : decisions(batch, real)
}

async function input() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return JSON.parse(text)
}

console.log(JSON.stringify(answer(await input())))
