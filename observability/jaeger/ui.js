// Jaeger puts this into its page. Its links lead to the host that the page came from, at the ports of docker-compose.yml. If
// Grafana or Prometheus is elsewhere, put its address here. No dollar sign may occur, because Jaeger replaces it.
// biome-ignore lint/correctness/noUnusedVariables: the page calls it.
function UIConfig() {
  const at = (port) => location.protocol.concat("//", location.hostname, ":", port)
  const dashboard = at("3000").concat("/d/rtmanager-cleanup")
  return {
    menu: [
      { label: "Grafana", url: dashboard },
      { label: "Prometheus", url: at("9090").concat("/alerts") }
    ],
    linkPatterns: [
      {
        type: "tags",
        key: "rtmanager.game.id",
        url: dashboard.concat("?var-game=#{rtmanager.game.id}"),
        text: "Audit rows of #{rtmanager.game.id}"
      }
    ]
  }
}
