# Stands for a queue worker, a database, a bundler: anything that is not Python.
trap 'echo "heartbeat: good-bye"; exit 0' TERM INT
n=0
while :; do
    n=$((n + 1))
    echo "beat $n"
    sleep 5 &
    wait $!
done
