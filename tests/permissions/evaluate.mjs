// Decides IAM requests with @cloud-copilot/iam-simulate. One process decides a whole batch.
//
// stdin:  {"policies": {id: {"kind": "identity" | "resource" | "trust", "document": …}},
//          "situations": [{"principal", "resource", "account", "context", "identity": [id], "resource_policy": id or null}],
//          "actions": [[name]],
//          "requests": [[number of the requests' situation, number of the list of their actions]]}
// stdout: {"decisions": [a string for each entry of "requests", with a character for each action: "1" if it is allowed,
//         else "0"]}. If a request or policy cannot be evaluated, the whole batch fails. Such a request never counts as
//         denied.
//
// Requests to which the same statements apply are one question, and the question is decided once. With "one_by_one": true,
// every request is decided separately.
//
// With "mutants", the output also has "caught": for each mutant, whether the decision on at least one request is not the
// expected one. The input has:
//         {"mutants": [{"policy": id, "index", "statement": statement or null}],
//          "expected": [a string like those of the output]}
// A mutant is a policy with "statement" in the place "index". With null, the policy has no statement in this place.
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
function isAllowed(situation, action, policies) {
  const decision = runUnsafeSimulation(
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
  if (!['Allowed', 'ImplicitlyDenied', 'ExplicitlyDenied'].includes(decision)) throw new Error(`unknown decision ${decision}`)
  return decision === 'Allowed'
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
    return isAllowed(situation, action, { probe })
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

// Whether one condition holds for a value of its context key, or without the key. The simulator decides it with a policy that
// has only this condition.
const holds = cached((condition) => {
  const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*', Condition: JSON.parse(condition) }] }
  const probe = validated('conditions', { kind: 'identity', document })
  return cached((context) => {
    const situation = { ...PROBE, account: '123456789012', identity: ['probe'], resource_policy: null, context: JSON.parse(context) }
    return isAllowed(situation, 's3:GetObject', { probe })
  })
})

// The situations and lists of actions to which a statement applies. The element Principal is not considered.
const application = cached((text) => {
  const statement = JSON.parse(text)
  const conditions = Object.entries(statement.Condition ?? {}).flatMap(([operator, byKey]) =>
    Object.entries(byKey).map(([key, values]) => {
      const hold = holds(JSON.stringify({ [operator]: { [key]: values } }))
      // A policy variable such as ${aws:PrincipalTag/team} is another context key.
      const needsAll = listed(values).some((value) => value.includes('${'))
      const holdWith = cached((value) => hold(JSON.stringify({ [key]: value })))
      return (context) => (needsAll ? hold(JSON.stringify(context)) : holdWith(context[key]))
    }),
  )
  const [onResource, inContext] = [[], []]
  const isOn = ({ resource, resourceNumber }) => (onResource[resourceNumber] ??= isOfStatement(resource, statement))
  const holdIn = ({ context, contextNumber }) =>
    (inContext[contextNumber] ??= conditions.every((hold) => hold(context)))
  return {
    inSituation: (situation) => isOn(situation) && holdIn(situation),
    named: cached((actions) => actions.map((action) => isNamed(action, statement))),
  }
})

// Whether a statement names a principal that is not a whole account.
function namesPrincipals({ Principal }) {
  return !/^(\*|arn:aws:iam::\d{12}:root)$/.test(Principal?.AWS ?? Principal ?? '*')
}

// For each entry of the requests, the numbers of its actions' questions. Requests that are the same question get the same number. They have the same
// decision, because the following is the same:
// - the service,
// - the statements that apply: their actions, resources and conditions match the request,
// - the accounts of the principal and of the resource, and the principal if one of these statements names principals.
function questionsOf({ policies, situations, actions, requests, one_by_one }) {
  let count = 0
  if (one_by_one) return requests.map(([, list]) => actions[list].map(() => count++))
  const numbers = new Map()
  const numberOf = (...question) => {
    const text = question.join('\n')
    if (!numbers.has(text)) numbers.set(text, count++)
    return numbers.get(text)
  }
  const statementsOf = cached((id) =>
    policies[id].document.Statement.map((statement) => ({
      number: numberOf(policies[id].kind, JSON.stringify(statement)),
      application: application(JSON.stringify(statement)),
      namesPrincipals: namesPrincipals(statement),
    })),
  )
  // The actions of a list in groups: the actions of one service that the same statements of these policies name.
  const groupsOf = cached((key, ids, list) => {
    const all = ids.flatMap(statementsOf)
    const named = all.map((each) => each.application.named(list))
    const groups = new Map()
    list.forEach((action, index) => {
      const service = action.slice(0, action.indexOf(':'))
      const group = `${service} ${all.map((_, number) => (named[number][index] ? number : ''))}`
      if (!groups.has(group)) groups.set(group, { service, statements: all.filter((_, n) => named[n][index]), indices: [] })
      groups.get(group).indices.push(index)
    })
    return [...groups.values()]
  })
  return requests.map(([number, list]) => {
    const { principal, account, identity, resource, resource_policy } = situations[number]
    const ids = [...identity, ...(resource_policy ? [resource_policy] : [])]
    const found = new Array(actions[list].length)
    for (const { service, statements, indices } of groupsOf(`${list} ${ids}`, ids, actions[list])) {
      const applying = statements.filter((each) => each.application.inSituation(situations[number]))
      const question = numberOf(
        service,
        applying.map(({ number }) => number),
        account,
        !!resource_policy,
        applying.some((each) => each.namesPrincipals) ? principal : (principal.split(':')[4] ?? principal),
      )
      for (const index of indices) {
        const action = actions[list][index]
        found[index] = isSpecial(action, resource) ? numberOf(action, principal, resource, identity, resource_policy) : question
      }
    }
    return found
  })
}

function decisions({ situations, actions, requests }, questions, real) {
  const known = []
  return requests.map(([number, list], request) =>
    actions[list].reduce((answers, action, index) => {
      const question = questions[request][index]
      known[question] ??= isAllowed(situations[number], action, real) ? '1' : '0'
      return answers + known[question]
    }, ''),
  )
}

function areCaught({ policies, situations, actions, requests, expected, mutants }, questions, real) {
  const concerned = new Map(Object.keys(policies).map((policy) => [policy, []]))
  requests.forEach(([number], request) => {
    const { identity, resource_policy } = situations[number]
    for (const policy of new Set([...identity, ...(resource_policy ? [resource_policy] : [])])) concerned.get(policy).push(request)
  })
  return mutants.map((mutant) => {
    const { kind, document } = policies[mutant.policy]
    const [correct, mistaken] = [document.Statement[mutant.index], mutant.statement]
    const statements = [...document.Statement]
    statements.splice(mutant.index, 1, ...(mistaken ? [mistaken] : []))
    const policy = validated(mutant.policy, { kind, document: { ...document, Statement: statements } })
    const wrong = Object.assign(Object.create(real), { [mutant.policy]: policy })
    const [before, after] = [correct, mistaken].map((statement) => statement && application(JSON.stringify(statement)))
    const isSameOtherwise =
      correct?.Effect === mistaken?.Effect && JSON.stringify(correct?.Principal) === JSON.stringify(mistaken?.Principal)
    // The expected decision that a mistake can change, if the statement applies only with the mistake or only without it.
    const [gained, lost] = [mistaken?.Effect === 'Allow' ? '0' : '1', correct?.Effect === 'Allow' ? '1' : '0']
    // A mistake that adds a principal changes the decisions for this principal.
    const named = mistaken && namesPrincipals(mistaken) ? JSON.stringify(mistaken.Principal) : undefined
    const isNamedIn = ({ principal, context }) => [principal, context['aws:PrincipalArn']].some((each) => each && named.includes(each))
    const decided = cached((_, situation, action) => (isAllowed(situation, action, wrong) ? '1' : '0'))

    const isCaughtBy = (request, isLikely) => {
      const [situation, list] = [situations[requests[request][0]], actions[requests[request][1]]]
      const [was, is] = [before, after].map((each) => each?.inSituation(situation))
      if (!was && !is) return false
      const [namedBefore, namedAfter] = [was && before.named(list), is && after.named(list)]
      const principal = is && named ? situation.principal : ''
      return list.some((action, index) => {
        const [applied, applies] = [!!was && namedBefore[index], !!is && namedAfter[index]]
        // A mistake can change only decisions to which one of the two statements applies.
        if (applied === applies && (!applied || isSameOtherwise)) return false
        const must = expected[request][index]
        const couldChange = applied === applies || must === (applies ? gained : lost)
        if (isLikely !== (couldChange && (!named || isNamedIn(situation)))) return false
        // Requests that are the same question stay the same question if the same statements apply.
        const question = `${questions[request][index]} ${applied} ${applies} ${applies ? principal : ''}`
        return decided(question, situation, action) !== must
      })
    }

    const asked = concerned.get(mutant.policy)
    let place = asked.findIndex((request) => isCaughtBy(request, true))
    if (place < 0) place = asked.findIndex((request) => isCaughtBy(request, false))
    // A request that catches one mutant often catches the next mutant too. Move it to the front.
    if (place > 0) asked.unshift(...asked.splice(place, 1))
    return place >= 0
  })
}

function answer(batch) {
  const [resources, contexts] = [new Map(), new Map()]
  const numberIn = (known, text) => known.get(text) ?? known.set(text, known.size).size - 1
  for (const situation of batch.situations) {
    situation.resourceNumber = numberIn(resources, situation.resource)
    situation.contextNumber = numberIn(contexts, JSON.stringify(situation.context))
  }
  const real = Object.fromEntries(Object.entries(batch.policies).map(([id, policy]) => [id, validated(id, policy)]))
  const questions = questionsOf(batch)
  return {
    decisions: decisions(batch, questions, real),
    caught: batch.mutants && areCaught(batch, questions, real),
  }
}

async function input() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return JSON.parse(text)
}

console.log(JSON.stringify(answer(await input())))
