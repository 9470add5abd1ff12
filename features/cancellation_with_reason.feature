@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling with a reason and by force
  KTRDR's own command line cancels by force, and with the reason that the trader gives.
  Whoever finds the cancelled backtest later must find the reason; force changes nothing else.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2015-01-01 | 2025-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @critical @allure.story:Cancelling
  Scenario: The reason is kept, and the backtest is cancelled as without force
    When a long backtest is started
    Then the backtest is running within 10 seconds
    And its progress is above 0 % and moving within 30 seconds
    When the backtest is cancelled by force, with the reason "the spread of May was wrong"
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    And its record gives the reason
    And its record says when it ended
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the progress of the cancelled backtest stays frozen for 2 seconds, and for 3 of its usual updates
    And the list of backtests agrees that it is cancelled
    And as a sanity check, the cancelled backtest is not completed, even now that the new one has run
    And as a sanity check, the system is stable: the new backtest started without trouble

  @critical @allure.story:Cancelling @same_backtest
  Scenario: The worker itself has stopped what was cancelled by force
    Given a backtest that was cancelled by force, with the reason "the spread of May was wrong"
    And its worker can be asked from here
    Then its worker has stopped it within 2 seconds of the cancellation

  @critical @allure.story:Cancelling @same_backtest
  Scenario: The worker's processor is quiet after a cancellation by force
    Given a backtest that was cancelled by force, with the reason "the spread of May was wrong"
    And the processor time of its worker can be read from here
    Then the processor of its worker is quiet within 2 seconds of the cancellation

  @normal @allure.story:Releasing @same_backtest
  Scenario: The worker's place is free after a cancellation by force
    Given a backtest that was cancelled by force, with the reason "the spread of May was wrong"
    And KTRDR says which worker ran it
    Then KTRDR counts its worker as free within 15 seconds of the cancellation
