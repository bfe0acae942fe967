"""GraphQL queries: a change and all its lists in one.

Each list is queried with its length (`totalCount`), page after page: a list that is shorter is not used.
"""

from collections.abc import Iterable

_ACTOR = """
fragment who on Actor {
  __typename
  login
  ... on User { databaseId }
  ... on Bot { databaseId }
  ... on Mannequin { databaseId }
  ... on Organization { databaseId }
}
"""

CHANGE_LISTS = ("commits", "reviews", "events", "checks")

CHANGE_QUERY = (
    """
query Change($owner: String!, $name: String!, $number: Int!,
             $commits: String, $reviews: String, $events: String, $checks: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      number title body state isDraft url
      author { ...who }
      baseRefName baseRefOid headRefName headRefOid
      headRepository { nameWithOwner }
      createdAt updatedAt mergedAt
      mergedBy { ...who }
      mergeCommit { oid }
      maintainerCanModify
      autoMergeRequest { mergeMethod enabledBy { ...who } }
      labels(first: 100) { totalCount nodes { name } }
      isInMergeQueue
      mergeQueueEntry { headCommit { oid } }
      commits(first: 100, after: $commits) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { commit { oid committer { email } signature { isValid wasSignedByGitHub } } }
      }
      reviews(first: 100, after: $reviews) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes {
          id fullDatabaseId state submittedAt body authorCanPushToRepository commit { oid } author { ...who }
        }
      }
      events: timelineItems(first: 100, after: $events, itemTypes: [
        HEAD_REF_FORCE_PUSHED_EVENT, BASE_REF_CHANGED_EVENT, AUTOMATIC_BASE_CHANGE_SUCCEEDED_EVENT,
        REVIEW_DISMISSED_EVENT, REVIEW_REQUESTED_EVENT, ASSIGNED_EVENT,
        CLOSED_EVENT, REOPENED_EVENT, HEAD_REF_DELETED_EVENT, HEAD_REF_RESTORED_EVENT
      ]) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes {
          __typename
          ... on HeadRefForcePushedEvent {
            createdAt actor { ...who } beforeCommit { oid } afterCommit { oid }
          }
          ... on BaseRefChangedEvent { createdAt actor { ...who } previousRefName currentRefName }
          ... on AutomaticBaseChangeSucceededEvent { createdAt actor { ...who } oldBase newBase }
          ... on ReviewDismissedEvent {
            createdAt actor { ...who } previousReviewState review { id }
          }
          ... on ReviewRequestedEvent {
            createdAt actor { ...who }
            requestedReviewer {
              __typename ... on User { ...who } ... on Bot { ...who } ... on Mannequin { ...who }
            }
          }
          ... on AssignedEvent { createdAt actor { ...who } assignee { __typename ... on Bot { ...who } } }
          ... on ClosedEvent { createdAt }
          ... on ReopenedEvent { createdAt }
          ... on HeadRefDeletedEvent { createdAt }
          ... on HeadRefRestoredEvent { createdAt }
        }
      }
      tip: commits(last: 1) {
        nodes {
          commit {
            oid
            statusCheckRollup {
              checks: contexts(first: 100, after: $checks) {
                totalCount
                pageInfo { hasNextPage endCursor }
                nodes {
                  __typename
                  ... on CheckRun {
                    name status conclusion detailsUrl startedAt completedAt
                    checkSuite { app { databaseId slug } }
                  }
                  ... on StatusContext {
                    context state description targetUrl createdAt creator { ...who }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
"""
    + _ACTOR
)

_REVIEWS = """
  p{number}: pullRequest(number: {number}) {
    number
    reviews(first: 100, states: [APPROVED, CHANGES_REQUESTED]) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { id fullDatabaseId state authorCanPushToRepository commit { oid } author { ...who } }
    }
  }
"""


def make_reviews_query(numbers: Iterable[int]) -> str:
    """Query for the standing reviews of several changes, each under a name of its own."""
    asked = "".join(_REVIEWS.replace("{number}", str(number)) for number in numbers)
    head = "query Reviews($owner: String!, $name: String!) {\n  repository(owner: $owner, name: $name) {"
    return f"{head}{asked}  }}\n}}\n{_ACTOR}"


QUEUE_QUERY = """
query Queue($owner: String!, $name: String!, $branch: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    mergeQueue(branch: $branch) {
      entries(first: 100, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { position headCommit { oid } baseCommit { oid } pullRequest { number headRefOid } }
      }
    }
  }
}
"""
