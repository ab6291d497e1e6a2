<html><body><?php
declare(strict_types=1);

namespace Example\Rings;

use Example\Reader;
use Example\{Walker, Other as Another};
use function strlen;
require_once 'vendor/autoload.php';

const SIZE = 16;
define('LIMIT', 3);
$shared = new Ring(SIZE);

/**
 * A ring of entries.
 */
#[Entity(table: "rings")]
final class Ring extends Base implements \IteratorAggregate, \Countable
{
    use Loggable;

    public const EMPTY = 0, FULL = 1;
    private array $slots = [];
    public static ?Ring $instance = null;

    /** Makes one. */
    public function __construct(private readonly int $size, protected string $name = "ring") {
        $local = $size;
    }

    // How many there are.
    public function count(): int { return \count($this->slots); }

    public static function of(int ...$all): static
    {
        $f = fn (int $x) => $x + 1;
        $g = function ($x) use ($f) { return $f($x); };
        return new static(array_map($g, $all)[0]);
    }

    abstract protected function size(): int;
}

interface Source { public function read(string $bytes): mixed; }

trait Loggable {
    protected $log;
    public function log($message) { echo $message; }
}

enum Status: string {
    case Ok = 'ok';
    case Full = 'full';
    const DEFAULT = self::Ok;
    public function show(): string { return $this->value; }
}

/* Runs it. */
function main(array $argv, Ring &$ring = null): void {
    function inner() {}
    $ring->count();
    Ring::of(1, 2)->log($argv[0]);
}

class RingTest extends TestCase
{
    public function testCounts(): void { $this->assertSame(1, (new Ring(1))->count()); }
    #[Test]
    public function pushes() {}
    protected function setUp(): void {}
}

it('keeps what was pushed', function () { expect(new Ring(1))->toBeTruthy(); });
?>
<p><?= main($argv) ?></p></body></html>
