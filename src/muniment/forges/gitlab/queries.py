"""The GraphQL query for an open merge request and all of its parts that can change.

Every field is in GitLab's published reference (https://docs.gitlab.com/api/graphql/reference/) of 17.9; all except the
length of the list of notes were there in 16.3. An older GitLab refuses the query. GitLab limits a query by its fields
(at most 250 for accounts that are no administrators), and returns no more than a hundred items of a list.
"""

_MORE = "pageInfo { hasNextPage }"

MERGE_REQUEST_QUERY = (
    """
query Request($path: ID!, $number: String!) {
  project(fullPath: $path) {
    id
    mergeRequest(iid: $number) {
      iid title description state draft webUrl
      author { ...who }
      sourceBranch targetBranch sourceProjectId targetProjectId
      diffHeadSha diffRefs { baseSha headSha startSha }
      createdAt updatedAt
      allowCollaboration autoMergeEnabled mergeUser { ...who } squash
      labels(first: 100) { count nodes { title } MORE }
      notes(first: 100) {
        count
        nodes { id body system createdAt author { ...who } systemNoteMetadata { action } }
        MORE
      }
      approvedBy(first: 100) { nodes { ...who } MORE }
      reviewers(first: 100) { nodes { ...who mergeRequestInteraction { reviewState } } MORE }
    }
    projectMembers(first: 100, relations: [DIRECT, INHERITED, INVITED_GROUPS, SHARED_INTO_ANCESTORS]) {
      nodes { accessLevel { integerValue } user { id state } }
      MORE
    }
  }
}
""".replace("MORE", _MORE)
    + """
fragment who on User { id username bot }
"""
)
